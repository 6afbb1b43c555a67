/** What `waybill doctor` looks at on this machine: the home, and, where a spec is given, whether its two systems answer. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectors } from '../layers/connectors/index.ts'
import { type DoctorLine, fail, looked, ok } from '../layers/core/doctor.ts'
import { isWaybillError, WaybillError } from '../layers/core/errors.ts'
import { refuseSourceAsTarget } from '../layers/core/flow/scope.ts'
import { readPolicy } from '../layers/core/policy-reader.ts'
import type { Secrets } from '../layers/core/ports.ts'
import { defaultPolicy } from '../layers/core/rulebooks.ts'
import type { Policy } from '../layers/core/schemas/policy.ts'
import type { MigrationSpec } from '../layers/core/schemas/spec.ts'
import type { Reached } from '../layers/core/system-identity.ts'
import { homeLines, nodeLines, spaceLines, toolLines } from '../layers/local/doctor.ts'
import { localSecrets } from '../layers/local/secrets.ts'
import { secretStores } from './local.ts'
import { connectorOptions } from './work/connections.ts'

type Options = { home: string; env: Readonly<Record<string, string | undefined>>; spec: MigrationSpec | null }

/** Changes nothing, and makes no home. Connection strings stay in memory. */
export async function examineHome({ home, env, spec }: Options): Promise<DoctorLine[]> {
  const policy = policyOf(home)
  const lines = [
    ...nodeLines(process.versions.node),
    ...homeLines(home),
    ...policy.lines,
    ...(await looked('space', () => spaceLines(home), sentence)),
    ...(await toolLines()),
  ]
  if (spec === null) return lines
  const secrets = localSecrets({ env, stores: secretStores(env) })
  const [source, target] = await Promise.all([
    endLines('source', spec, secrets, policy.policy),
    endLines('target', spec, secrets, policy.policy),
  ])
  return [...lines, ...source.lines, ...target.lines, ...apartLines(spec, source.reached, target.reached)]
}

/** The policy of a home, or the default one with what is wrong. */
export function policyOf(home: string): { policy: Policy; lines: DoctorLine[] } {
  const path = join(home, 'policy.json')
  if (!existsSync(path)) return { policy: defaultPolicy, lines: [] }
  try {
    const policy = readPolicy(readFileSync(path), path)
    return { policy, lines: [ok('policy', `The policy ${policy.version} is in force in the home.`)] }
  } catch (error) {
    return { policy: defaultPolicy, lines: [fail('policy', sentence(error), 'Put another in force: waybill policy use FILE')] }
  }
}

type EndSeen = { lines: DoctorLine[]; reached: Reached | null }

/** Resolves the secret, connects read-only under the TLS that the spec demands, and asks who answers. */
async function endLines(side: 'source' | 'target', spec: MigrationSpec, secrets: Secrets, policy: Policy): Promise<EndSeen> {
  const { system_type: systemType, connection } = spec[side]
  try {
    if (!connection)
      throw new WaybillError('SPEC_INVALID', `The spec does not say where the ${side} is: add ${side}.connection.secret_ref.`)
    const url = await secrets.resolve(connection.secret_ref)
    const options = { ...connectorOptions({ policy }, spec, 15_000), side }
    const opened = await connectors.source(systemType, url, options)
    try {
      const reached = { identity: await opened.identity([]), running: (await opened.running?.()) ?? null }
      return { lines: [ok(side, `The ${side} (${systemType}) answers.`)], reached }
    } finally {
      await opened.close().catch(() => undefined)
    }
  } catch (error) {
    const line: DoctorLine = isWaybillError(error)
      ? fail(side, `The ${side} cannot be used: ${error.message}`, `Mend ${side}.connection or what it leads to.`)
      : { check: side, verdict: 'unknown', says: `Whether the ${side} answers could not be found out.`, remedy: null }
    return { lines: [line], reached: null }
  }
}

/** Says nothing where all is well. */
function apartLines(spec: MigrationSpec, source: Reached | null, target: Reached | null): DoctorLine[] {
  if (source === null || target === null) return []
  try {
    refuseSourceAsTarget(spec, { source, target })
    return []
  } catch (error) {
    return [fail('apart', sentence(error), 'Mend source.connection, target.connection or the names of the target tables.')]
  }
}

const sentence = (error: unknown): string =>
  isWaybillError(error) ? [error.message, ...error.details.slice(0, 3)].join(' ') : 'it cannot be read.'
