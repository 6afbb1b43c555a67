import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { FUNCTIONS, type Permission, WORKER_PERMISSIONS } from '../../../infra/permissions.ts'
import { WaybillError } from '../../../layers/core/errors.ts'
import { MAC_PURPOSES } from '../../../layers/core/names.ts'
import type { ApprovalStore, AuditLog, Ports } from '../../../layers/core/ports.ts'
import { fileMacs } from '../../../layers/local/keys.ts'

/** A key for each purpose, as in an account; a home has one for all links. */
export function macsApart(folder: string): Pick<Ports, 'macMakers' | 'macCheckers'> {
  const macs = MAC_PURPOSES.map((purpose) => {
    const own = join(folder, purpose)
    mkdirSync(own, { recursive: true, mode: 0o700 })
    return [purpose, fileMacs({ folder: own })] as const
  })
  return {
    macMakers: Object.fromEntries(macs.map(([purpose, { macMakers }]) => [purpose, macMakers[purpose]])) as Ports['macMakers'],
    macCheckers: Object.fromEntries(macs.map(([purpose, { macCheckers }]) => [purpose, macCheckers[purpose]])) as Ports['macCheckers'],
  }
}

const TABLE: Partial<Record<string, Permission>> = { ...FUNCTIONS, ...WORKER_PERMISSIONS }

/**
 * These ports as a function of that name has them in an account: what its line of the permission table does not let it make or check with, and task
 * tokens that it does not let it seal or open, and an audit log that it does not let it read or append to, are refused.
 */
export function withRightsOf(name: string, ports: Ports): Ports {
  const { makes, checks, approvals, audit } = TABLE[name] ?? {}
  const own = {
    macMakers: () => only(ports.macMakers, makes),
    macCheckers: () => only(ports.macCheckers, checks),
    approvals: () => tokensOf(ports.approvals, approvals),
    audit: () => logOf(ports.audit, audit),
  }
  return new Proxy(ports, {
    get: (all, port, receiver) => (port in own ? own[port as keyof typeof own]() : Reflect.get(all, port, receiver)),
  })
}

function tokensOf(all: ApprovalStore, right: Permission['approvals']): ApprovalStore {
  const refuse = () => Promise.reject(new WaybillError('PERMISSION_DENIED', 'This function may neither seal nor open a task token.'))
  return {
    ...all,
    ...(right === 'ask' ? {} : { open: refuse }),
    ...(right === 'decide' ? {} : { group: refuse }),
  }
}

function logOf(all: AuditLog, right: Permission['audit']): AuditLog {
  const refuse = () => Promise.reject(new WaybillError('PERMISSION_DENIED', 'This function may not do that with an audit log.'))
  return {
    ...all,
    ...(right === undefined ? { head: refuse, read: refuse } : {}),
    ...(right === 'append' ? {} : { append: refuse }),
  }
}

function only<T extends Ports['macMakers'] | Ports['macCheckers']>(all: T, right: Permission['makes'] = []): T {
  const refusing = MAC_PURPOSES.map((purpose) => {
    const get = () => {
      if (right.includes(purpose)) return all[purpose]
      throw new WaybillError('PERMISSION_DENIED', `This function may not do that with ${purpose}.`)
    }
    return [purpose, { get, enumerable: true }] as const
  })
  return Object.defineProperties({}, Object.fromEntries(refusing)) as T
}
