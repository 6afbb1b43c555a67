import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import { ROOT } from './build.ts'

/** Four numbers of 0–255, and `/` with a prefix after which all bits are zero. */
const cidr = z.string().refine(isCidr, 'is no IPv4 range such as 10.64.0.0/20, with zeros after the prefix')
const address = z.email('is no mail address')
const port = z.int().min(1).max(65_535)
const account = z.string().regex(/^\d{12}$/, 'is no account number of twelve digits')

/** How the databases' network is reached: nothing else is routed out of Waybill's. */
const reach = z.discriminatedUnion('by', [
  /** One VPC, of this account and region or another's. Its side accepts the peering where it is another's, and routes back. */
  z.strictObject({
    by: z.literal('peering'),
    vpcId: z.string().regex(/^vpc-[0-9a-f]{8,17}$/, 'is no id of a VPC'),
    owner: z.strictObject({ account, region: z.string(), roleArn: z.string().startsWith('arn:') }).nullable(),
  }),
  z.strictObject({
    by: z.literal('transit-gateway'),
    transitGatewayId: z.string().regex(/^tgw-[0-9a-f]{8,17}$/, 'is no id of a transit gateway'),
  }),
])

const signIn = z.union([
  /** The organisation's OpenID provider: a public client with PKCE. */
  z.strictObject({ issuer: z.url({ protocol: /^https$/, error: 'is no https address' }), clientId: z.string().min(1) }),
  /** A directory of approvers that this stack holds: people are put into it by hand, sign in with a second factor, and never register themselves. */
  z.strictObject({
    directory: z.strictObject({
      domainPrefix: z
        .string()
        .regex(/^[a-z0-9](-?[a-z0-9]){2,40}$/, 'is lower-case letters, digits and single dashes')
        .refine((prefix) => !/aws|amazon|cognito/.test(prefix), 'holds aws, amazon or cognito, which Cognito keeps for itself'),
    }),
  }),
])

const TWO_ZONES = 'is at least 2: a worker that finds no room in one zone goes to the other'

const localTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'is no time of day such as 22:00')

const stageConfig = z.strictObject({
  stage: z.enum(['dev', 'prod']),
  /** COMPLIANCE: nobody, not even root, deletes before the time is over. GOVERNANCE: a privileged person could. */
  evidence: z.strictObject({
    lock: z.enum(['COMPLIANCE', 'GOVERNANCE']),
    days: z.int().min(1).max(36_500),
    refuseLongerRetention: z.boolean(),
  }),
  /** Keeps stateful resources when their stack is deleted, and protects tables against deletion. */
  keepState: z.boolean(),
  logDays: z.union([z.literal(30), z.literal(365)]),
  network: z.strictObject({
    cidr: cidr.refine(
      (range) => Number(range.split('/')[1]) >= 16 && Number(range.split('/')[1]) <= 22,
      'is between /16 and /22: a zone takes a /24',
    ),
    /** How many, the first that the region names; or which, for regions where not all of these have every endpoint. */
    zones: z.union([
      z.int().min(2, TWO_ZONES).max(3),
      z
        .array(z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d[a-z]$/, 'is no zone such as eu-central-1a'))
        .min(2, TWO_ZONES)
        .max(3),
    ]),
    /** Where the databases are: workers may open `port` there and nowhere else. */
    databases: z.array(z.strictObject({ cidr, port })).min(1, 'names no database: workers could reach none'),
    /** Null: somebody else connects the networks. */
    reach: reach.nullable(),
  }),
  /** RDS and Aurora databases, by resource id (`db-…`, `cluster-…`), whose users sign in with IAM instead of a password. */
  iamDatabases: z.array(z.string().regex(/^(db|cluster)-[A-Z0-9]+$/, 'is no resource id such as db-ABCDEFGHIJKL01234')),
  /** A PEM file, from the checkout's root, with the CAs of databases that no public CA vouches for: RDS, Aurora, one's own. Null: public ones only. */
  certificates: z.string().min(1).refine(holdsCertificates, 'is no file of PEM certificates').nullable(),
  workers: z.strictObject({ cpu: z.union([z.literal(1024), z.literal(2048)]), memoryMiB: z.union([z.literal(4096), z.literal(8192)]) }),
  /** What is kept free for, and taken at most by, the functions that people and the audit log wait for. Null: the account's own limit, which may be as low as 10. */
  concurrency: z.strictObject({ approvals: z.int().min(1).max(100), anchors: z.int().min(1).max(100) }).nullable(),
  /** Null: approvers are known by their link alone. */
  signIn: signIn.nullable(),
  /** Raise it, and every link that was mailed before is dead. */
  linkGeneration: z.int().min(1).max(1_000_000),
  /** Who approval mails come from. */
  mailFrom: address,
  /** The SES identity, an address or a domain, that `mailFrom` is of. `create`: it is made here, and verified by whoever reads its mail or its DNS. */
  mailIdentity: z.strictObject({ name: z.string().min(1), create: z.boolean() }),
  git: z.strictObject({ repository: z.string().regex(/^[\w.-]+\/[\w.-]+$/, 'is not of the form owner/repository') }),
  /** Projects reconciled every night while they run in parallel. */
  nightly: z.strictObject({
    projects: z.array(z.string().regex(/^[a-z0-9][a-z0-9-]{0,59}$/, 'is no project id of at most 60 characters')),
    hour: z.int().min(0).max(23),
    minute: z.int().min(0).max(59),
    timeZone: z.string().refine(isTimeZone, 'is no time zone such as Europe/Berlin'),
    windowMinutes: z.int().min(1).max(1440),
    /** Between these local times the databases may be read by night; null: at any time. A run looks again itself, however late it is started. */
    offPeak: z.strictObject({ from: localTime, to: localTime }).nullable(),
  }),
  alarms: z.strictObject({ email: address.nullable() }),
  /** Where docs/runbook.md can be read; alarms link to its sections. */
  runbookUrl: z.string().min(1),
  /** Besides `application` and `stage`, on everything. */
  tags: z.record(z.string().min(1).max(128), z.string().max(256)),
})

/** What differs between stages. Everything else is the same code. */
export type StageConfig = z.infer<typeof stageConfig>

const common = {
  network: { cidr: '10.64.0.0/20', zones: 2, databases: [{ cidr: '10.0.0.0/8', port: 5432 }], reach: null },
  iamDatabases: [],
  certificates: null,
  signIn: null,
  linkGeneration: 1,
  mailFrom: 'waybill@example.com',
  mailIdentity: { name: 'waybill@example.com', create: false },
  git: { repository: 'example/data-platform' },
  nightly: { projects: [], hour: 2, minute: 30, timeZone: 'Europe/Berlin', windowMinutes: 30, offPeak: null },
  alarms: { email: null },
  runbookUrl: 'docs/runbook.md',
  tags: {},
} satisfies Partial<StageConfig>

export const dev: StageConfig = {
  ...common,
  stage: 'dev',
  // One day, so that a developer's stack can be thrown away tomorrow.
  evidence: { lock: 'GOVERNANCE', days: 1, refuseLongerRetention: false },
  keepState: false,
  logDays: 30,
  workers: { cpu: 1024, memoryMiB: 4096 },
  concurrency: null,
}

export const prod: StageConfig = {
  ...common,
  stage: 'prod',
  // Seven years; at least the policy's retention_days, which a test compares.
  evidence: { lock: 'COMPLIANCE', days: 2557, refuseLongerRetention: true },
  keepState: true,
  logDays: 365,
  network: { ...common.network, zones: 3 },
  nightly: { ...common.nightly, offPeak: { from: '22:00', to: '06:00' } },
  workers: { cpu: 2048, memoryMiB: 8192 },
  concurrency: { approvals: 20, anchors: 10 },
}

/**
 * A stage with an organisation's settings: each field given replaces the stage's, those of `network`, `nightly`, `evidence` and `workers` one by one.
 * @throws Error that lists every setting that is wrong, and why
 */
export function configFor(stage: string, settings: unknown = {}): StageConfig {
  if (stage !== 'dev' && stage !== 'prod') throw new Error(`Unknown stage "${stage}": use -c stage=dev or -c stage=prod.`)
  const base: Record<string, unknown> = stage === 'dev' ? dev : prod
  if (!isRecord(settings)) throw new Error('Settings are a JSON object; docs/deploy.md lists its fields.')
  const config: Record<string, unknown> = { ...base }
  for (const [name, value] of Object.entries(settings)) {
    const parts = ['network', 'nightly', 'evidence', 'workers'].includes(name) && isRecord(value)
    config[name] = parts ? { ...(base[name] as object), ...value } : value
  }
  if (settings.mailFrom !== undefined && settings.mailIdentity === undefined)
    config.mailIdentity = { name: settings.mailFrom, create: false }
  if (settings.stage !== undefined && settings.stage !== stage)
    throw new Error('Settings choose no stage: use -c stage=dev or -c stage=prod.')

  const parsed = stageConfig.safeParse(config)
  const wrong = parsed.success
    ? contradictions(parsed.data)
    : parsed.error.issues.map(({ path, message }) => `${path.map(String).join('.') || 'settings'} ${message}`)
  if (wrong.length > 0) throw new Error(`These settings of the stage ${stage} are wrong:\n${wrong.map((each) => `  ${each}`).join('\n')}`)
  return parsed.data!
}

/** What each field may be by itself, and may not be beside the others. */
function contradictions(config: StageConfig): string[] {
  const { stage, mailFrom, mailIdentity, evidence, network, nightly } = config
  const domain = mailFrom.slice(mailFrom.indexOf('@') + 1)
  const mine = network.databases.filter((database) => network.reach !== null && within(database.cidr, network.cidr))
  const twice = nightly.projects.filter((project, at) => nightly.projects.indexOf(project) !== at)
  return [
    ...(mailIdentity.name === mailFrom || domain === mailIdentity.name || domain.endsWith(`.${mailIdentity.name}`)
      ? []
      : [`mailIdentity.name is neither ${mailFrom} nor its domain: SES would refuse every mail`]),
    ...(mine.length > 0
      ? [`network.cidr holds the databases' ${mine[0]!.cidr}: no route leads out of a network to its own addresses`]
      : []),
    ...(isNight(nightly) ? [] : ['nightly.hour and minute, with windowMinutes, lie outside nightly.offPeak: nights would be skipped']),
    ...(Array.isArray(network.zones) && new Set(network.zones).size < network.zones.length ? ['network.zones names a zone twice'] : []),
    ...twice.map((project) => `nightly.projects names ${project} twice`),
    ...(stage === 'prod' && evidence.lock !== 'COMPLIANCE'
      ? ['evidence.lock is COMPLIANCE in prod: evidence that somebody can delete is none']
      : []),
    ...(stage === 'prod' && !config.keepState ? ['keepState is true in prod: the keys and the evidence outlive the stacks'] : []),
    ...(stage === 'prod' && /(^|\.)example\.(com|org|net)$/.test(domain) ? ['mailFrom is still the example: nobody would get a link'] : []),
    ...(stage === 'prod' && config.git.repository.startsWith('example/') ? ['git.repository is still the example'] : []),
  ]
}

/** Whether the schedule starts inside the off-peak window, also at the end of its own flexible window. */
function isNight({ hour, minute, windowMinutes, offPeak }: StageConfig['nightly']): boolean {
  if (offPeak === null) return true
  const minutesOf = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))
  const sinceOpened = (hour * 60 + minute - minutesOf(offPeak.from) + 1440) % 1440
  const open = (minutesOf(offPeak.to) - minutesOf(offPeak.from) + 1440) % 1440
  return sinceOpened + windowMinutes <= open
}

function isCidr(text: string): boolean {
  const range = rangeOf(text)
  return range !== null && range.first % range.size === 0
}

/** First address and number of addresses. */
function rangeOf(text: string): { first: number; size: number } | null {
  const [, ...parts] = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text) ?? []
  const [a = 0, b = 0, c = 0, d = 0, prefix = 0] = parts.map(Number)
  if (parts.length === 0 || [a, b, c, d].some((byte) => byte > 255) || prefix > 32) return null
  return { first: ((a * 256 + b) * 256 + c) * 256 + d, size: 2 ** (32 - prefix) }
}

function within(inner: string, outer: string): boolean {
  const [one, other] = [rangeOf(inner)!, rangeOf(outer)!]
  return one.first >= other.first && one.first + one.size <= other.first + other.size
}

function holdsCertificates(path: string): boolean {
  try {
    const found = readFileSync(resolve(ROOT, path), 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    return found.length > 0 && found.every((each) => new X509Certificate(each).ca)
  } catch {
    return false
  }
}

function isTimeZone(name: string): boolean {
  try {
    return name.includes('/') && new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
