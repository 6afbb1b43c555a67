/** Limits of services that a large migration could meet, as the services document them. `raisable`: the account's owner may ask for more. */
export type Limit = { what: string; allowed: number; unit: string; raisable: boolean; basis: string }

export const LIMITS = {
  history_events: {
    what: 'history of the parent execution',
    allowed: 25_000,
    unit: 'events',
    raisable: false,
    basis: 'Step Functions, Standard',
  },
  map_children: {
    what: 'children of a distributed Map at once',
    allowed: 10_000,
    unit: 'executions',
    raisable: false,
    basis: 'Step Functions',
  },
  payload_bytes: { what: 'input or output of a state', allowed: 262_144, unit: 'bytes', raisable: false, basis: 'Step Functions' },
  overrides_bytes: { what: 'what a container is told', allowed: 8192, unit: 'characters', raisable: false, basis: 'ECS RunTask overrides' },
  record_bytes: { what: 'project record', allowed: 409_600, unit: 'bytes', raisable: false, basis: 'DynamoDB, one item' },
  s3_reads_per_second: { what: 'reads of artifacts of one prefix', allowed: 5500, unit: 'requests/s', raisable: false, basis: 'S3' },
  s3_writes_per_second: { what: 'writes of artifacts of one prefix', allowed: 3500, unit: 'requests/s', raisable: false, basis: 'S3' },
  connections_per_second: {
    what: 'new connections to one database, if all tasks began in the same second',
    allowed: 200,
    unit: 'connections/s',
    raisable: false,
    basis: 'RDS with IAM authentication',
  },
  function_seconds: {
    what: 'the slowest function, waiting for stores',
    allowed: 900,
    unit: 'seconds',
    raisable: false,
    basis: 'its own timeout',
  },
  profile_seconds: { what: 'the profile, waiting for the source', allowed: 900, unit: 'seconds', raisable: false, basis: 'Lambda' },
  page_bytes: { what: 'the largest approval page', allowed: 6_291_456, unit: 'bytes', raisable: false, basis: 'Lambda, one answer' },
  fargate_vcpus: { what: 'processors of workers at once', allowed: 6, unit: 'vCPUs', raisable: true, basis: 'Fargate, a new account' },
  lambda_concurrency: { what: 'functions at once', allowed: 1000, unit: 'functions', raisable: true, basis: 'Lambda' },
  kms_signatures_per_second: { what: 'signatures', allowed: 300, unit: 'requests/s', raisable: true, basis: 'KMS, ECC keys' },
} as const satisfies Record<string, Limit>

/** What a child of a Map gives back, `{}`, with the comma behind it. */
const ANSWER_BYTES = 3

/**
 * The most items of one distributed Map. What bounds them is its answer, which is no larger than a state's output and holds one `{}` for each child, which is each
 * batch; half of that, since no document says how the service writes it. The Map fails behind its last child otherwise, when everything was copied.
 */
export function mostItems(perBatch: number): number {
  return Math.floor(LIMITS.payload_bytes.allowed / 2 / ANSWER_BYTES) * perBatch
}

export type LimitName = keyof typeof LIMITS
export type Against = Limit & { name: LimitName; reached: number | null; reason: string | null; within: boolean | null; margin: string }

/** Each figure that was reached, beside what is allowed; null where nothing was measured, with the reason. */
export function against(reached: Readonly<Record<LimitName, number | null>>, reason = 'not measured before a run'): Against[] {
  return (Object.keys(LIMITS) as LimitName[]).map((name) => {
    const limit: Limit = LIMITS[name]
    const figure = reached[name]
    if (figure === null) return { ...limit, name, reached: null, reason, within: null, margin: '' }
    const within = figure <= limit.allowed
    const margin = within
      ? figure === 0
        ? 'all of it'
        : `${Math.floor(limit.allowed / figure)} ×`
      : limit.raisable
        ? 'ask for more'
        : 'exceeded'
    return { ...limit, name, reached: figure, reason: null, within, margin }
  })
}
