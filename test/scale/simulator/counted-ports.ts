import { MAC_PURPOSES, oneEach } from '../../../layers/core/names.ts'
import type {
  ApprovalStore,
  ArtifactStore,
  AuditLog,
  LeaseStore,
  Notifier,
  Ports,
  ProjectStore,
  Signer,
  TaskTokens,
} from '../../../layers/core/ports.ts'
import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../../layers/core/schemas/project.ts'
import { count } from './tally.ts'
import type { VirtualTime } from './virtual-time.ts'

/** Milliseconds that a request takes, and bytes per millisecond beyond it. Assumed, on the slow side; nothing in a count depends on it. */
export const LATENCY = {
  s3: { head: 20, get: 30, put: 50, list: 60 },
  bytesPerMs: 50_000,
  dynamodb: { read: 8, write: 15 },
  kms: 20,
  ses: 100,
  secrets: 40,
  lambda: 50,
  states: 40,
  git: 3000,
} as const

const READ_UNIT = 4096
const WRITE_UNIT = 1024
const sizeOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value))
const units = (bytes: number, unit: number) => Math.max(1, Math.ceil(bytes / unit))

/**
 * What the AWS adapters ask of AWS for each call of a port: the same requests, counted, and each takes its time. `perSecond`: requests to S3 in one
 * second, by `writes` or `reads` and the second.
 */
export function countedPorts(time: VirtualTime, inner: Ports, perSecond = new Map<string, number>()): Ports {
  const dynamo = async (kind: 'read' | 'write', bytes: number, times = 1) => {
    count(`dynamodb.${kind}`)
    count(`dynamodb.${kind}-units`, times * units(bytes, kind === 'read' ? READ_UNIT : WRITE_UNIT))
    await time.pass(LATENCY.dynamodb[kind])
  }
  const kms = async (operation: string) => {
    count(`kms.${operation}`)
    await time.pass(LATENCY.kms)
  }
  const s3 = async (operation: keyof typeof LATENCY.s3, bytes = 0) => {
    count(`s3.${operation}`)
    const second = `${operation === 'put' ? 'writes' : 'reads'} ${Math.floor(time.now().getTime() / 1000)}`
    perSecond.set(second, (perSecond.get(second) ?? 0) + 1)
    count('s3.bytes', bytes)
    await time.pass(LATENCY.s3[operation] + bytes / LATENCY.bytesPerMs)
  }
  const secret = async () => {
    count('secrets.get')
    await time.pass(LATENCY.secrets)
  }

  const artifacts: ArtifactStore = {
    ...inner.artifacts,
    async put(key, bytes, options) {
      await s3('put', bytes.length)
      return inner.artifacts.put(key, bytes, options)
    },
    async find(key) {
      await s3('head')
      return inner.artifacts.find(key)
    },
    async get(pointer) {
      const bytes = await inner.artifacts.get(pointer)
      await s3('get', bytes.length)
      return bytes
    },
    async list(prefix) {
      const keys = await inner.artifacts.list(prefix)
      for (let page = 0; page < Math.max(1, Math.ceil(keys.length / 1000)); page++) await s3('list')
      return keys
    },
  }
  /** A transaction of a check and two puts: all three cost double. */
  const together = async (record: ProjectRecord, entry: AuditEntry) => {
    await dynamo('write', sizeOf(record), 2)
    count('dynamodb.write-units', 2 * units(sizeOf(entry), WRITE_UNIT) + 2)
  }
  const projects: ProjectStore = {
    ...inner.projects,
    async create(record, entry) {
      await together(record, entry)
      return inner.projects.create(record, entry)
    },
    async get(id) {
      const record = await inner.projects.get(id)
      await dynamo('read', sizeOf(record))
      return record
    },
    async update(record, entry) {
      await together(record, entry)
      return inner.projects.update(record, entry)
    },
  }
  const audit: AuditLog = {
    async head(id) {
      const head = await inner.audit.head(id)
      await dynamo('read', sizeOf(head))
      return head
    },
    async append(entry) {
      // A transaction of a check and a put: both cost double.
      await dynamo('write', sizeOf(entry), 2)
      count('dynamodb.write-units', 2)
      await inner.audit.append(entry)
    },
    async read(id, from) {
      const entries = await inner.audit.read(id, from)
      await dynamo('read', sizeOf(entries))
      return entries
    },
  }
  const approvals: ApprovalStore = {
    ...inner.approvals,
    async open(group, requests) {
      await kms('encrypt')
      await dynamo('write', sizeOf(group), 2)
      for (const request of requests) count('dynamodb.write-units', 2 * (units(sizeOf(request), WRITE_UNIT) + 1))
      await inner.approvals.open(group, requests)
    },
    async request(id) {
      await dynamo('read', 0)
      await dynamo('read', 0)
      return inner.approvals.request(id)
    },
    async requests(groupId) {
      const found = await inner.approvals.requests(groupId)
      await dynamo('read', sizeOf(found))
      return found
    },
    async group(groupId) {
      await dynamo('read', 0)
      await kms('decrypt')
      return inner.approvals.group(groupId)
    },
    async toldAt(groupId) {
      await dynamo('read', 0)
      return inner.approvals.toldAt(groupId)
    },
    async decide(request, next) {
      await dynamo('read', 0)
      await dynamo('read', 0)
      await dynamo('write', sizeOf(request), 2)
      await inner.approvals.decide(request, next)
    },
    async told(groupId, at) {
      await dynamo('write', 0)
      await inner.approvals.told(groupId, at)
    },
    async byProject(id) {
      const found = await inner.approvals.byProject(id)
      await dynamo('read', sizeOf(found))
      return found
    },
  }
  const signer = (of: Signer): Signer => ({
    ...of,
    async sign(digest) {
      await kms('sign')
      return of.sign(digest)
    },
  })
  const tasks: TaskTokens = {
    ...inner.tasks,
    async succeed(token, output) {
      count('states.send-task')
      await time.pass(LATENCY.states)
      await inner.tasks.succeed(token, output)
    },
  }
  const notifier: Notifier = {
    async send(mail) {
      count('ses.send')
      await time.pass(LATENCY.ses)
      await inner.notifier.send(mail)
    },
  }
  const leases: LeaseStore = {
    async take(wanted) {
      // Asked for its own first, then for one that is free.
      await dynamo('write', 0)
      await dynamo('write', 0)
      return inner.leases.take(wanted)
    },
    async renew(id, fence, until) {
      await dynamo('write', 0)
      return inner.leases.renew(id, fence, until)
    },
    async release(id, fence) {
      await dynamo('write', 0)
      return inner.leases.release(id, fence)
    },
  }
  return {
    ...inner,
    leases,
    artifacts,
    projects,
    audit,
    approvals,
    signers: {
      plan: signer(inner.signers.plan),
      approval: signer(inner.signers.approval),
      evidence: signer(inner.signers.evidence),
      anchor: signer(inner.signers.anchor),
    },
    tasks,
    notifier,
    secrets: {
      async resolve(ref) {
        await secret()
        return inner.secrets.resolve(ref)
      },
    },
    keys: {
      async mask() {
        await secret()
        return inner.keys.mask()
      },
    },
    macMakers: oneEach(MAC_PURPOSES, (purpose) => async (message) => {
      await kms('mac')
      return inner.macMakers[purpose](message)
    }),
    macCheckers: oneEach(MAC_PURPOSES, (purpose) => async (message, mac) => {
      await kms('mac')
      return inner.macCheckers[purpose](message, mac)
    }),
    git: {
      async publish(change) {
        count('git.publish')
        await time.pass(LATENCY.git)
        return inner.git.publish(change)
      },
    },
  }
}
