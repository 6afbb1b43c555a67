import { visible } from '../core/approval-page/visible-text.ts'
import { type Explanation, explanation, type TableMapping } from '../core/schemas/proposal.ts'
import type { Mismatch, TableResult } from '../core/schemas/recon.ts'
import type { Agent, Citation, Conclusion } from './agent.ts'
import { rowCauses } from './diff-row-causes.ts'
import { type ValueCause, valueCauses } from './diff-value-causes.ts'

/** `tables` are results of a reconciliation; their mismatches are masked unless the policy allows values. */
export type DiffFacts = { mapping: { tables: TableMapping[] }; tables: TableResult[] }

const MAX_CAUSES = 12

/** Why two tables differ, as far as the differing rows show it. */
export const diffExplainerAgent: Agent<DiffFacts, typeof explanation> = {
  name: 'diff-explainer',
  schema: explanation,
  question: 'What else could have caused these differences?',
  propose,
}

function propose(facts: DiffFacts): Conclusion<Explanation> {
  const citations: Citation[] = []
  const limitations = ['A cause is a guess from the pattern of the differences; what really happened, only a look at the systems shows.']
  let confidence = 1
  const tables = facts.tables.map((result, index) => {
    citations.push({ fact: 'tables', pointer: `/${index}/verdict`, says: `Verdict ${result.verdict}.` })
    if (result.verdict === 'pass')
      return { table_id: result.table_id, summary: `All ${result.source_rows} rows are equal.`, likely_causes: [] }
    if (result.verdict !== 'fail') {
      for (const at of result.reasons.keys())
        citations.push({ fact: 'tables', pointer: `/${index}/reasons/${at}`, says: 'Why it could not be decided.' })
      return {
        table_id: result.table_id,
        summary: `Not decided: ${result.reasons.map((reason) => visible(reason, 300)).join(' ') || 'no reason was recorded.'}`.slice(
          0,
          2000,
        ),
        likely_causes: [],
      }
    }
    const { mismatches } = result
    for (const field of ['missing', 'extra', 'changed'] as const)
      citations.push({ fact: 'tables', pointer: `/${index}/${field}`, says: `${result[field]} rows ${field}.` })
    if (mismatches.length > 0)
      citations.push({ fact: 'tables', pointer: `/${index}/mismatches`, says: `${mismatches.length} differences were looked at.` })
    const total = BigInt(result.missing) + BigInt(result.extra) + BigInt(result.changed)
    if (BigInt(mismatches.length) < total)
      limitations.push(`${result.table_id}: the first ${mismatches.length} of ${total} differences were looked at.`)
    const mapping = facts.mapping.tables.find((table) => table.table_id === result.table_id)
    const causes = [...rowCauses(result), ...columnCauses(mismatches, mapping)]
      .sort((a, b) => b.confidence - a.confidence)
      .slice(0, MAX_CAUSES)
    confidence = Math.min(confidence, causes[0]?.confidence ?? 0.2)
    return {
      table_id: result.table_id,
      summary: `${result.missing} rows are missing, ${result.extra} are extra and ${result.changed} changed; the source has ${result.source_rows} rows and the target ${result.target_rows}.`,
      likely_causes: causes.map((cause) => ({ ...cause, cause: cause.cause.slice(0, 500), evidence: cause.evidence.slice(0, 1000) })),
    }
  })
  return {
    proposal: { tables },
    methodology:
      'The differing rows are held against patterns that known faults leave: neighbouring segments that are empty, copies of rows, one column that differs by one factor, one shift, case, blanks, rounding. A pattern counts only when every difference that was looked at fits it.',
    citations,
    confidence,
    limitations,
  }
}

/** Causes inside columns. Only changed rows can show them: they are the same key on both sides. */
function columnCauses(mismatches: readonly Mismatch[], mapping: TableMapping | undefined): ValueCause[] {
  const changed = mismatches.filter((mismatch) => mismatch.kind === 'changed' && mismatch.columns.length > 0)
  if (changed.length === 0) return []
  const byColumn = Map.groupBy(
    changed.flatMap((mismatch) => mismatch.columns),
    (column) => column.column,
  )
  return [...byColumn.entries()].flatMap(([name, pairs]) => {
    const shown = visible(name, 60)
    const only = byColumn.size === 1
    const transform = mapping?.columns.find((column) => column.target === name)?.transform.kind
    const by = transform === undefined || transform === 'identity' ? '' : ` The plan makes it by "${transform}".`
    const masked = pairs.every(({ source, target }) => isMasked(source) && isMasked(target))
    const causes = masked ? nullCauses(shown, pairs) : valueCauses(shown, pairs)
    if (causes.length > 0) return causes.map((cause) => ({ ...cause, evidence: `${cause.evidence}.${by}` }))
    const unreadable = masked ? ' Values are masked, so they show only that they differ.' : ''
    return [
      {
        cause: only ? `Only "${shown}" differs: its transform, or something that writes to this column alone.` : `"${shown}" differs.`,
        evidence: `${pairs.length} of ${changed.length} changed rows differ ${only ? 'in this column and no other' : 'there'}.${unreadable}${by}`,
        confidence: only ? 0.6 : 0.3,
      },
    ]
  })
}

/** NULL is told apart even under a mask. */
function nullCauses(name: string, pairs: readonly { source: string | null; target: string | null }[]): ValueCause[] {
  return pairs.every(({ target }) => target === null) || pairs.every(({ source }) => source === null) ? valueCauses(name, pairs) : []
}

/** NULL, or what masking leaves: a long run of hexadecimal digits, with or without a label. */
function isMasked(value: string | null): boolean {
  return value === null || /^(?:[a-z][a-z0-9-]*:)?[0-9a-f]{12,64}$/.test(value)
}
