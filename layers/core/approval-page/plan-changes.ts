import { canonicalBytes } from '../canonical-json.ts'
import { grouped } from '../count-words.ts'
import type { Plan } from '../schemas/plan.ts'
import type { TableMapping } from '../schemas/proposal.ts'
import { identityInWords } from '../system-identity.ts'
import { columnInWords, filterInWords } from './plan-words.ts'
import type { Mark, Section } from './section.ts'

type Change = { mark: Mark; text: string }

/** Longer lists are counted, not shown. */
const MOST = 40

/** What is different from the plan that people saw before this one, in words; `before` null for a first plan. */
export function changeSection(before: Plan | null, now: Plan, limit: number): Section {
  const title = 'What changed since the last version'
  if (before === null) return { title, says: 'Nothing: this is the first version of the plan.' }
  const changes = [...frameChanges(before, now), ...tableChanges(before, now), ...decisionChanges(before, now)]
  const shown = changes.slice(0, Math.min(MOST, limit))
  const rest = changes.length - shown.length
  return {
    title,
    says:
      changes.length === 0
        ? 'Nothing but the time it was made and how long it is valid.'
        : `${changes.length} ${changes.length === 1 ? 'thing differs' : 'things differ'} from the version of ${before.created_at.slice(0, 10)}. Approvals of that version do not count for this one.`,
    items: [
      ...shown,
      ...(rest > 0
        ? [{ mark: 'care' as const, text: `${rest} more changes are not shown here. Compare the plan files before you decide.` }]
        : []),
    ],
  }
}

function frameChanges(before: Plan, now: Plan): Change[] {
  const rows = (plan: Plan) => (plan.estimate.rows === null ? 'not estimated' : `about ${grouped(plan.estimate.rows)}`)
  const rollback = (plan: Plan) => (plan.rollback.auto_rollback_enabled ? 'by itself' : 'only when a person decides')
  const facts: readonly (readonly [what: string, from: string, to: string, mark: Mark])[] = [
    ['The source', identityInWords(before.source.identity), identityInWords(now.source.identity), 'care'],
    ['The target', identityInWords(before.target.identity), identityInWords(now.target.identity), 'care'],
    ['The policy', before.policy.version, now.policy.version, 'care'],
    ['The rows to move', rows(before), rows(now), 'note'],
    ['A failed copy is removed', rollback(before), rollback(now), 'care'],
    ['The author', before.author, now.author, 'care'],
  ]
  const told = facts
    .filter(([, from, to]) => from !== to)
    .map(([what, from, to, mark]) => ({ mark, text: `${what}: was ${from}, is now ${to}.` }))
  // What has no words of its own must still not change unseen.
  const parts: readonly (readonly [what: string, part: (plan: Plan) => unknown, told: boolean])[] = [
    ['The policy’s content', (plan) => plan.policy.sha256, before.policy.version !== now.policy.version],
    ['The rulebooks', (plan) => plan.rulebooks, false],
    ['The archetype', (plan) => plan.archetype, false],
    ['How source and target are compared', (plan) => plan.recon, false],
    ['The checks', (plan) => plan.checks, false],
    ['The service levels', (plan) => plan.slo, false],
    ['How the copy is carried out', (plan) => plan.execution, false],
    ['The rollback settings', (plan) => ({ ...plan.rollback, auto_rollback_enabled: null }), false],
    ['The connection references', (plan) => [plan.source.connection, plan.target.connection], false],
    ['What is left behind in the source', (plan) => plan.left_behind, false],
    ['The source’s catalog', (plan) => plan.source.catalog_sha256, false],
    ['The kind of source', (plan) => plan.source.system_type, false],
    ['The settings of the target', (plan) => ({ ...plan.target, identity: null, connection: null }), false],
    [
      'The source’s or target’s identity',
      (plan) => [plan.source.identity, plan.target.identity],
      told.some(({ text }) => text.startsWith('The source') || text.startsWith('The target')),
    ],
    ['The title', (plan) => plan.title, false],
    ['The steps', (plan) => plan.steps, !same(before.tables, now.tables)],
    ['The estimate', (plan) => ({ ...plan.estimate, rows: null }), false],
    ['The project', (plan) => plan.project_id, false],
  ]
  const untold = parts
    .filter(([, part, done]) => !done && !same(part(before), part(now)))
    .map(([what]) => ({ mark: 'care' as const, text: `${what} changed; the plan file has the details.` }))
  return [...told, ...untold]
}

const nameOf = (table: TableMapping) => `${table.target.schema}.${table.target.name}`

function tableChanges(before: Plan, now: Plan): Change[] {
  const old = new Map(before.tables.map((table) => [nameOf(table), table]))
  const current = new Set(now.tables.map(nameOf))
  const gone = before.tables
    .filter((table) => !current.has(nameOf(table)))
    .map((table) => ({ mark: 'care' as const, text: `Table ${nameOf(table)} is not moved any more.` }))
  const rest = now.tables.flatMap((table): Change[] => {
    const was = old.get(nameOf(table))
    return was === undefined
      ? [{ mark: 'care', text: `Table ${nameOf(table)} is new, with ${table.columns.length} columns.` }]
      : withinTable(was, table)
  })
  const moved = gone.length + rest.length === 0 && !same(before.tables.map(nameOf), now.tables.map(nameOf))
  return [...gone, ...rest, ...(moved ? [{ mark: 'note' as const, text: 'The tables are copied in another order.' }] : [])]
}

function withinTable(was: TableMapping, is: TableMapping): Change[] {
  const name = nameOf(is)
  const changes: Change[] = []
  const say = (mark: Mark, text: string) => changes.push({ mark, text: `${name}: ${text}` })
  if (!same(was.source, is.source))
    say('care', `comes from ${is.source.schema}.${is.source.name}; before from ${was.source.schema}.${was.source.name}.`)
  if (!same(was.filter, is.filter)) say('care', `other rows are moved. ${filterInWords(is.filter)} Before: ${filterInWords(was.filter)}`)
  const key = (table: TableMapping) => table.key?.join(', ') ?? 'no key'
  if (key(was) !== key(is)) say('care', `rows are identified by ${key(is)}; before by ${key(was)}.`)
  if (!same(was.foreign_keys, is.foreign_keys)) say('care', 'the foreign keys changed.')
  if (was.order_key !== is.order_key)
    say('note', `the order is taken from ${is.order_key ?? 'nothing'}; before from ${was.order_key ?? 'nothing'}.`)
  const old = new Map(was.columns.map((column) => [column.target, column]))
  for (const column of is.columns) {
    const before = old.get(column.target)
    old.delete(column.target)
    if (before === undefined) say('care', `column ${column.target} is new: ${columnInWords(column)}.`)
    else if (!same(before, column)) {
      const [then, now] = [columnInWords(before), columnInWords(column)]
      const type = before.target_type === column.target_type ? '' : ` Its type was ${before.target_type} and is now ${column.target_type}.`
      const source = same(before.source, column.source)
        ? ''
        : ` It comes from ${column.source.join(', ')}; before from ${before.source.join(', ')}.`
      const what = then === now ? (type === '' && source === '' ? ' The plan file has the details.' : '') : ` It was ${then}; now ${now}.`
      say(
        column.lossy || before.transform.kind.startsWith('mask_') ? 'care' : 'note',
        `column ${column.target} changed.${type}${source}${what}`,
      )
    }
  }
  for (const column of old.keys()) say('care', `column ${column} is not moved any more.`)
  if (changes.length === 0 && !same(was, is)) say('care', 'something else changed; the plan file has the details.')
  return changes
}

function decisionChanges(before: Plan, now: Plan): Change[] {
  const old = new Map(before.decisions.map((decision) => [decision.decision_id, decision]))
  const current = new Set(now.decisions.map((decision) => decision.decision_id))
  return [
    ...now.decisions.flatMap((decision): Change[] => {
      const was = old.get(decision.decision_id)
      if (was !== undefined && same(was, decision)) return []
      const answer = `${decision.decision_id} is answered "${decision.choice}" by ${decision.answered_by}`
      return [
        {
          mark: 'care',
          text: was === undefined ? `${answer}; it was not asked before.` : `${answer}; before "${was.choice}" by ${was.answered_by}.`,
        },
      ]
    }),
    ...before.decisions
      .filter((decision) => !current.has(decision.decision_id))
      .map((decision) => ({ mark: 'note' as const, text: `${decision.decision_id} is not asked any more.` })),
  ]
}

function same(a: unknown, b: unknown): boolean {
  return Buffer.from(canonicalBytes(a)).equals(Buffer.from(canonicalBytes(b)))
}
