/** What differs between stages. Everything else is the same code. */
export type StageConfig = {
  stage: 'dev' | 'prod'
  /** COMPLIANCE: nobody, not even root, deletes before the time is over. GOVERNANCE: a privileged person could. */
  evidence: { lock: 'COMPLIANCE' | 'GOVERNANCE'; days: number; refuseLongerRetention: boolean }
  /** Keeps stateful resources when their stack is deleted, and protects tables against deletion. */
  keepState: boolean
  logDays: 30 | 365
  network: {
    cidr: string
    zones: number
    /** Where the databases are, for example over peering: workers may open `port` there and nowhere else. */
    databases: readonly { cidr: string; port: number }[]
  }
  workers: { cpu: 1024 | 2048; memoryMiB: 4096 | 8192 }
  /** The organisation's OpenID provider, where approvers sign in (a public client with PKCE); null: their links are the only proof. */
  signIn: { issuer: string; clientId: string } | null
  /** Verified SES identity that approval mails come from. */
  mailFrom: string
  git: { repository: string }
  /** Projects reconciled every night while they run in parallel; ids of at most 60 characters. */
  nightly: { projects: readonly string[]; hour: number; minute: number; timeZone: string; windowMinutes: number }
  alarms: { email: string | null }
  /** Where docs/runbook.md can be read; alarms link to its sections. */
  runbookUrl: string
}

const common = {
  network: { cidr: '10.64.0.0/20', zones: 2, databases: [{ cidr: '10.0.0.0/8', port: 5432 }] },
  signIn: null,
  mailFrom: 'waybill@example.com',
  git: { repository: 'example/data-platform' },
  nightly: { projects: [], hour: 2, minute: 30, timeZone: 'Europe/Berlin', windowMinutes: 30 },
  alarms: { email: null },
  runbookUrl: 'docs/runbook.md',
} as const

export const dev: StageConfig = {
  ...common,
  stage: 'dev',
  // One day, so that a developer's stack can be thrown away tomorrow.
  evidence: { lock: 'GOVERNANCE', days: 1, refuseLongerRetention: false },
  keepState: false,
  logDays: 30,
  workers: { cpu: 1024, memoryMiB: 4096 },
}

export const prod: StageConfig = {
  ...common,
  stage: 'prod',
  // Seven years; at least the policy's retention_days, which a test compares.
  evidence: { lock: 'COMPLIANCE', days: 2557, refuseLongerRetention: true },
  keepState: true,
  logDays: 365,
  network: { ...common.network, zones: 3 },
  workers: { cpu: 2048, memoryMiB: 8192 },
}

/** @throws Error for another stage name */
export function configFor(stage: string): StageConfig {
  if (stage === 'dev') return dev
  if (stage === 'prod') return prod
  throw new Error(`Unknown stage "${stage}": use -c stage=dev or -c stage=prod.`)
}
