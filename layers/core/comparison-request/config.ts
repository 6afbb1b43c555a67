import { z } from 'zod'
import { WaybillError } from '../errors.ts'
import { identifier } from '../schemas/common.ts'
import { didYouMean } from '../spec-hint.ts'
import { readSpecText } from '../spec-text.ts'
import { toleranceText } from '../tolerance/request.ts'

const tableName = z.string().min(1).max(1024)
const columns = z.array(identifier).min(1).max(1600)
const tolerances = z.record(identifier, toleranceText)
const conditions = z.array(z.string().min(1).max(1200)).max(32)

/** `compare.yaml`: what the options of `waybill compare` say, for a comparison that is run again and again. Options given as well win. */
export const compareConfig = z.strictObject({
  schema: z.literal('waybill/compare-config/v1').optional(),
  /** A side as on the command line. Keep passwords out: `env://NAME` or ~/.pgpass. */
  source: z.string().min(1).max(4096).optional(),
  target: z.string().min(1).max(4096).optional(),
  tables: z
    .array(
      z.union([
        tableName,
        z.strictObject({
          source: tableName,
          target: tableName.optional(),
          key: columns.optional(),
          exclude_columns: columns.optional(),
          order_key: identifier.optional(),
          /** Target column: source column. */
          rename: z.record(identifier, identifier).optional(),
          where: conditions.optional(),
          /** Target column: how far its values may be apart, `'0.01'`, `'0.1%'` or `'1ms'`. */
          tolerances: tolerances.optional(),
        }),
      ]),
    )
    .max(100_000)
    .optional(),
  include: z.array(z.string().min(1).max(300)).max(1000).optional(),
  exclude: z.array(z.string().min(1).max(300)).max(1000).optional(),
  key: columns.optional(),
  exclude_columns: columns.optional(),
  order_key: identifier.optional(),
  where: conditions.optional(),
  tolerances: tolerances.optional(),
  tenant: z.string().min(1).max(1200).optional(),
  mode: z.enum(['full', 'sample', 'aggregates', 'schema']).optional(),
  sample: z.int().min(1).max(1_000_000_000).optional(),
  seed: z.string().min(1).max(64).optional(),
  connections: z.int().min(1).max(16).optional(),
  timeout_seconds: z.int().min(1).max(604_800).optional(),
  retries: z.int().min(0).max(100).optional(),
  /** For tables that are written to meanwhile: how long differing rows are read again. */
  live_seconds: z.int().min(1).max(86_400).optional(),
  /** On each side. */
  max_rows_per_second: z.int().min(1).max(1_000_000_000).optional(),
  pause_above_ms: z.int().min(1).max(600_000).optional(),
  differences: z.string().min(1).max(4096).optional(),
  junit: z.string().min(1).max(4096).optional(),
  html: z.string().min(1).max(4096).optional(),
  repair_sql: z.string().min(1).max(4096).optional(),
  state: z.string().min(1).max(4096).optional(),
  show_values: z.boolean().optional(),
  mask: z.boolean().optional(),
  verbose: z.boolean().optional(),
  json: z.boolean().optional(),
})
export type CompareConfig = z.infer<typeof compareConfig>

/** @throws BAD_INPUT; `details` names every fault with line and column. Values are never repeated: one may hold a password. */
export function readCompareConfig(bytes: Uint8Array | string): CompareConfig {
  const text = (() => {
    try {
      return readSpecText(bytes)
    } catch (error) {
      throw refusal(error instanceof WaybillError && error.details.length > 0 ? error.details : ['it cannot be read'])
    }
  })()
  const parsed = compareConfig.safeParse(text.value)
  if (parsed.success) return parsed.data
  const known = Object.keys(compareConfig.shape)
  throw refusal(
    parsed.error.issues.flatMap((issue) => {
      const path = issue.path.map(String).join('.')
      if (issue.code !== 'unrecognized_keys') return [`${text.place(issue.path)}: ${path}: ${issue.message}`]
      return issue.keys.map((name) => {
        const near = issue.path.length === 0 ? didYouMean(name, known) : null
        const hint = near === null ? 'there is no such field' : `there is no such field; did you mean "${near}"?`
        return `${text.place(issue.path, name)}: ${[...issue.path, name].map(String).join('.').slice(0, 100)}: ${hint}`
      })
    }),
  )
}

function refusal(faults: readonly string[]): WaybillError {
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''
  return new WaybillError('BAD_INPUT', `The configuration of the comparison cannot be used: ${faults[0]}${more}.`, { details: faults })
}
