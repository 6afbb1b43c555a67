import { estimateScale, sizeOf, WORKER } from '../../../layers/core/scale/estimate.ts'
import { against } from '../../../layers/core/scale/limits.ts'
import { reachedBy } from '../../../layers/core/scale/model.ts'
import { PRICES, PRICES_OF } from '../../../layers/core/scale/prices.ts'
import { ASSUMED_SCAN_BYTES_PER_SECOND, MEASURED } from '../../../layers/core/scale/throughput.ts'
import { LATENCY } from './counted-ports.ts'
import { LARGE, workloadOf } from './scenarios.ts'
import type { Figures } from './simulated.ts'

const whole = (value: number) => Math.round(value).toLocaleString('en')
const hours = (seconds: number) => (seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`)
const dollars = (usd: number | null) => (usd === null ? 'not measured' : `$${usd.toFixed(2)}`)
const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')

/** The tables of docs/scale.md by their names, out of what was simulated. */
export function tablesOf(results: readonly Figures[]): Record<string, string> {
  const estimates = results.map(({ name }) => estimateScale(workloadOf(LARGE.find((each) => each.name === name)!.scenario)))
  const head = ['', ...results.map(({ words }) => words)]
  const lines = (of: (figures: Figures, at: number) => string, what: string) => [what, ...results.map(of)]
  const part = (kind: 'migration' | 'reconciliation') =>
    table(head, [
      lines((each) => hours(each[kind].seconds), 'time, without people and nights that are waited for'),
      lines((_, at) => `**${dollars(estimates[at]![kind].usd)}**`, 'dollars'),
      lines((each) => whole(each[kind].counts.transitions), 'state transitions'),
      lines((each) => whole(each[kind].parent_events), 'history events of the largest parent execution'),
      lines((each) => whole(each[kind].child_events), 'history events of a child'),
      lines((each) => whole(each[kind].children), 'child executions'),
      lines((each) => whole(each[kind].counts.tasks), 'Fargate tasks'),
      lines((each) => ((each[kind].task_seconds_billed / 3600) * WORKER.vcpu).toFixed(1), 'Fargate vCPU-hours'),
      lines((each) => whole(each[kind].counts.lambda_requests), 'Lambda requests'),
      lines((each) => whole(each[kind].counts.s3_writes), 'S3 PUT and LIST'),
      lines((each) => whole(each[kind].counts.s3_reads), 'S3 GET and HEAD'),
      lines((each) => whole(each[kind].counts.dynamodb_read_units), 'DynamoDB read units'),
      lines((each) => whole(each[kind].counts.dynamodb_write_units), 'DynamoDB write units, without signs of life'),
      lines((each) => whole(each[kind].counts.kms_signatures), 'KMS signatures'),
      lines((each) => whole(each[kind].counts.kms_requests), 'other KMS requests'),
      lines((each) => whole(each[kind].counts.mails), 'SES mails'),
    ])
  const most = results.at(-1)!
  const parallelism = LARGE[0]!.scenario.parallelism
  const limits = against(reachedBy(sizeOf(workloadOf(LARGE.find((each) => each.name === most.name)!.scenario)), parallelism, WORKER.vcpu))
  const billed = estimates[0]!.reconciliation.lines.filter(({ usd }) => usd > 0)
  return {
    migration: part('migration'),
    reconciliation: part('reconciliation'),
    limits: table(
      ['limit', 'allowed', 'reached', 'margin', 'whose'],
      limits.map(({ what, allowed, unit, reached, margin, basis }) => [
        what,
        `${whole(allowed)} ${unit}`,
        reached === null ? 'not measured' : whole(reached),
        margin,
        basis,
      ]),
    ),
    dollars: table(
      ['what', 'amount', 'dollars', 'price'],
      billed.map(({ amount, unit, usd, what, basis }) => [
        unit,
        whole(amount),
        `$${usd.toFixed(4)}`,
        `$${PRICES[what].usd} per ${whole(PRICES[what].per)}; ${basis}`,
      ]),
    ),
    prices: table(
      ['unit', `${PRICES_OF.region}, ${PRICES_OF.year}`, 'basis'],
      Object.values(PRICES).map(({ unit, usd, per, basis }) => [unit, `$${usd} per ${whole(per)}`, basis]),
    ),
    speeds: table(
      ['what', 'rows', 'seconds', 'bytes of a row', 'where it stands'],
      Object.entries(MEASURED).map(([name, { rows, seconds, bytesPerRow, file, line }]) => [
        name,
        whole(rows),
        String(seconds),
        String(bytesPerRow),
        `[${file}](../${file}): ${line.replaceAll('|', ',')}`,
      ]),
    ),
    assumed: table(
      ['what', 'assumed'],
      [
        ['a server reading from its disk', `${ASSUMED_SCAN_BYTES_PER_SECOND / 1_000_000} MB/s`],
        ['S3', `${LATENCY.s3.head} to ${LATENCY.s3.list} ms, and ${LATENCY.bytesPerMs / 1000} MB/s`],
        ['DynamoDB', `${LATENCY.dynamodb.read} ms to read, ${LATENCY.dynamodb.write} ms to write`],
        ['a function that starts', '1.5 s, each time'],
        ['a container that starts', '45 s, billed'],
      ],
    ),
    documents: table(
      ['', ...results.map(({ words }) => words)],
      [0, 1, 2].map((at) => [
        `${['largest', 'second', 'third'][at]} artifact`,
        ...results.map(({ largest_artifacts }) => {
          const found = largest_artifacts[at]!
          return `\`${found.name}\`, ${(found.bytes / 1_000_000).toFixed(1)} MB`
        }),
      ]),
    ),
  }
}

/** The document with every `<!-- table: name -->` followed by that table, whatever stood there. @throws when a table has no place, or a place no table */
export function withTables(document: string, tables: Readonly<Record<string, string>>): string {
  const placed = new Set<string>()
  const text = document.replace(/(<!-- table: ([a-z]+) -->\n)[\s\S]*?(<!-- end -->)/g, (_, start: string, name: string, end: string) => {
    const found = tables[name]
    if (found === undefined) throw new Error(`docs/scale.md asks for a table ${name}`)
    placed.add(name)
    return `${start}\n${found}\n\n${end}`
  })
  const lost = Object.keys(tables).filter((name) => !placed.has(name))
  if (lost.length > 0) throw new Error(`docs/scale.md has no place for ${lost.join(', ')}`)
  return text
}
