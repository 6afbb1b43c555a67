import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mappingAgent } from '../../layers/agents/mapping.ts'
import { runAgent } from '../../layers/agents/orchestrator.ts'
import { reconAgent } from '../../layers/agents/recon.ts'
import { chooseArchetype } from '../../layers/core/archetype-registry.ts'
import { digestOf } from '../../layers/core/canonical-json.ts'
import { compilePlan, type PlanInput } from '../../layers/core/plan-compiler.ts'
import { planSteps, referencedFirst } from '../../layers/core/plan-steps.ts'
import { archetypes, defaultPolicy, hashingSpec } from '../../layers/core/rulebooks.ts'
import { validate } from '../../layers/core/rules/index.ts'
import type { TableMapping } from '../../layers/core/schemas/proposal.ts'
import {
  FOREIGN_KEY_ANSWERS,
  flightsCatalog,
  flightsIdentities,
  flightsProfile,
  flightsSpec,
  mappingFacts,
} from '../agents/support/facts.ts'

async function input(change: Partial<PlanInput> = {}): Promise<PlanInput> {
  const spec = flightsSpec()
  const { proposal: mapping } = await runAgent(mappingAgent, mappingFacts({ answers: FOREIGN_KEY_ANSWERS }))
  const { proposal: recon } = await runAgent(reconAgent, {
    mapping,
    source_system_type: 'POSTGRESQL',
    target_system_type: 'POSTGRESQL',
    source: flightsCatalog(),
    profile: flightsProfile(),
  })
  return {
    projectId: 'p-1',
    planVersion: 1,
    spec,
    archetype: chooseArchetype(spec, archetypes),
    policy: defaultPolicy,
    identities: flightsIdentities(),
    source: flightsCatalog(),
    profile: flightsProfile(),
    mapping,
    recon,
    answers: FOREIGN_KEY_ANSWERS.map((answer) => ({ ...answer, answered_by: 'data.owner@example.com' })),
    now: new Date('2026-01-31T12:00:00.000Z'),
    ...change,
  }
}

const invalid = expect.objectContaining({ code: 'PLAN_INVALID' })
/** Any order of an object's properties: a plan must not depend on how its input was written. */
function shuffled<T>(value: T, random: () => number): T {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, random)) as T
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  const entries = Object.entries(value).map(([name, item]) => ({ name, item, at: random() }))
  return Object.fromEntries(entries.sort((a, b) => a.at - b.at).map(({ name, item }) => [name, shuffled(item, random)])) as T
}

describe('a plan', () => {
  it('of the demo has every step in order, every check, and who decided', async () => {
    const plan = compilePlan(await input())
    expect(plan.steps.map((step) => step.step_id)).toEqual([
      'create-table-airport',
      'create-table-flight',
      'copy-table-airport',
      'copy-table-flight',
      'add-keys-airport',
      'analyze-airport',
      'analyze-flight',
      'add-foreign-keys-flight',
    ])
    expect(plan.checks.map((check) => check.check_id)).toEqual([
      'row_count-flight',
      'row_count-airport',
      'unique-airport-iata',
      'completeness-flight-departed_at',
      'range-flight-distance_miles',
      'range-airport-latitude',
      'sum-flight-distance_miles',
      'foreign_key-flight-origin_iata',
      'foreign_key-flight-destination_iata',
      'sum-flight-distance_km',
    ])
    expect(plan.decisions).toEqual([
      { decision_id: 'fk-flight-destination_iata', choice: 'enforce', answered_by: 'data.owner@example.com' },
      { decision_id: 'fk-flight-origin_iata', choice: 'keep-orphans', answered_by: 'data.owner@example.com' },
      { decision_id: 'lossy-flight-distance_miles', choice: 'accept', answered_by: 'migration.engineer@example.com' },
    ])
    expect(plan.expires_at).toBe('2026-02-07T12:00:00.000Z')
    expect(plan.estimate).toMatchObject({ rows: '3003376', reason: null })
  })

  it('checks every foreign key; only orphans of an enforced one are an error', async () => {
    const given = await input()
    const checks = compilePlan({ ...given, spec: { ...given.spec, checks: [] } }).checks.map(({ check_id, request }) => [
      check_id,
      request.severity,
    ])
    expect(checks).toEqual([
      ['row_count-airport', 'CRITICAL'],
      ['row_count-flight', 'CRITICAL'],
      ['foreign_key-flight-origin_iata', 'WARNING'],
      ['foreign_key-flight-destination_iata', 'ERROR'],
      ['sum-flight-distance_km', 'CRITICAL'],
    ])
  })

  it('of the demo passes the validators that judge a plan by itself', async () => {
    const planned = await input()
    const plan = compilePlan(planned)
    const facts = {
      policy: defaultPolicy,
      typeCoercion: mappingFacts().rulebook,
      hashingSpec: hashingSpec,
      catalog: planned.source,
      approvers: planned.spec.approvers,
      gate: null,
      signed: null,
      now: planned.now,
    }
    const findings = validate(plan, digestOf(plan), facts)
    // The demo's servers listen on loopback only, so TLS is off there, and that is said.
    const failed = findings.findings.filter((finding) => finding.verdict === 'fail')
    expect(failed.map((finding) => [finding.severity, finding.where])).toEqual([
      ['WARNING', '/source/connection/tls_enabled'],
      ['WARNING', '/target/connection/tls_enabled'],
    ])
    expect(findings.verdict).toBe('pass')
  })

  it('names the columns that it leaves behind', async () => {
    const given = await input()
    const [first, ...others] = given.source.tables
    const source = {
      ...given.source,
      tables: [{ ...first!, columns: [...first!.columns, { ...first!.columns[0]!, name: 'salary' }] }, ...others],
    }
    expect(compilePlan(given).left_behind.flatMap(({ columns }) => columns)).not.toContain('salary')
    expect(compilePlan({ ...given, source }).left_behind.flatMap(({ columns }) => columns)).toContain('salary')
  })

  it('is the same bytes for the same input, however its properties are ordered', async () => {
    const given = await input()
    const digest = digestOf(compilePlan(given))
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 7, maxLength: 7 }), (numbers) => {
        let at = 0
        const random = () => numbers[at++ % numbers.length] ?? 0
        expect(digestOf(compilePlan(shuffled(given, random)))).toBe(digest)
      }),
      { numRuns: 50 },
    )
  })

  it('changes its digest with anything that matters', async () => {
    const given = await input()
    const digest = digestOf(compilePlan(given))
    const others = [
      { ...given, planVersion: 2 },
      { ...given, projectId: 'p-2' },
      { ...given, policy: { ...given.policy, version: 'other' } },
      { ...given, now: new Date(given.now.getTime() + 1) },
      { ...given, source: { ...given.source, server_version: '17' } },
      { ...given, recon: { ...given.recon, sampling: { ...given.recon.sampling, seed: 'other' } } },
      { ...given, spec: { ...given.spec, title: 'Another' } },
    ]
    for (const other of others) expect(digestOf(compilePlan(other))).not.toBe(digest)
  })
})

describe('no plan is made', () => {
  it('while a decision is open', async () => {
    const { proposal } = await runAgent(mappingAgent, mappingFacts())
    const given = await input()
    expect(() => compilePlan({ ...given, mapping: proposal })).toThrow(
      expect.objectContaining({ code: 'PLAN_INVALID', details: ['fk-flight-origin_iata', 'fk-flight-destination_iata'] }),
    )
  })
  it('when a decision was answered in two ways', async () => {
    expect(compilePlan(await input()).decisions).toHaveLength(3)
    const answers = [{ decision_id: 'lossy-flight-distance_miles', choice: 'keep-source', answered_by: 'data.owner@example.com' }]
    const given = await input({ answers })
    expect(() => compilePlan(given)).toThrow(invalid)
  })
  const change = (edit: (tables: TableMapping[]) => void) => async () => {
    const given = await input()
    const mapping = structuredClone(given.mapping)
    edit(mapping.tables)
    expect(() => compilePlan({ ...given, mapping })).toThrow(invalid)
  }
  it(
    'from a mapping with a table nobody asked for',
    change((tables) => {
      tables.push({ ...tables[0]!, table_id: 'more' })
    }),
  )
  it(
    'from a mapping without a table',
    change((tables) => {
      tables.splice(1, 1)
    }),
  )
  it(
    'from a mapping with a table twice',
    change((tables) => {
      tables.push(tables[0]!)
    }),
  )
  it(
    'from a mapping that reads elsewhere',
    change((tables) => {
      tables[0]!.source.name = 'salaries'
    }),
  )
  it(
    'from a mapping that writes elsewhere',
    change((tables) => {
      tables[0]!.target = { schema: 'public', name: 'users' }
    }),
  )
  it(
    'from a mapping that drops the filter',
    change((tables) => {
      tables[0]!.filter = null
    }),
  )
  it(
    'from a mapping that adds a filter',
    change((tables) => {
      tables[1]!.filter = { all: [{ column: 'origin', op: 'eq', values: ['X'] }] }
    }),
  )
  it(
    'from a mapping with a column nobody asked for',
    change((tables) => {
      tables[1]!.columns.push({ ...tables[1]!.columns[0]!, target: 'more' })
    }),
  )
  it(
    'from a mapping with a column twice',
    change((tables) => {
      tables[1]!.columns.push(tables[1]!.columns[0]!)
    }),
  )
  it(
    'from a mapping whose key is not mapped',
    change((tables) => {
      tables[1]!.key = ['nothing']
    }),
  )
  it(
    'from a mapping without its foreign keys',
    change((tables) => {
      tables[1]!.foreign_keys = []
    }),
  )
  it('from a recon proposal that leaves a table out', async () => {
    const given = await input()
    expect(() => compilePlan({ ...given, recon: { ...given.recon, tables: given.recon.tables.slice(1) } })).toThrow(invalid)
  })
  it('from a recon proposal with tolerances that the spec does not ask for, in part or at all', async () => {
    const given = await input()
    const spec = {
      ...given.spec,
      tables: given.spec.tables.map((table, i) => (i === 0 ? { ...table, tolerances: { latitude: '0.1%' } } : table)),
    }
    const holding = (tolerances: (typeof given.recon.tables)[number]['tolerances']) => ({
      ...given.recon,
      tables: given.recon.tables.map((table, i) => (i === 0 ? { ...table, tolerances } : table)),
    })
    const asked = { column: 'latitude', kind: 'relative' as const, value: '0.001' }
    expect(compilePlan({ ...given, spec, recon: holding([asked]) }).recon.tables[0]?.tolerances).toEqual([asked])
    expect(() => compilePlan({ ...given, recon: holding([asked]) })).toThrow(/other tolerances than the spec/)
    for (const tolerances of [
      [],
      [{ ...asked, value: '0.01' }],
      [{ ...asked, kind: 'absolute' as const }],
      [asked, { ...asked, column: 'name' }],
    ])
      expect(() => compilePlan({ ...given, spec, recon: holding(tolerances) })).toThrow(/other tolerances than the spec/)
  })
})

describe('steps', () => {
  const bare = (id: string, ...references: string[]): TableMapping => ({
    table_id: id,
    source: { schema: 's', name: id, kind: 'table' },
    target: { schema: 't', name: id },
    filter: null,
    columns: [],
    key: ['k'],
    order_key: null,
    foreign_keys: references.map((table) => ({ columns: ['k'], references: { table, columns: ['k'] }, enforcement: 'enforced' as const })),
  })
  it('put referenced tables first, and keep every table exactly once, circles included', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat({ max: 9 }), { maxLength: 3 }), { minLength: 1, maxLength: 10 }), (graph) => {
        const tables = graph.map((edges, index) => bare(`t${index}`, ...edges.filter((to) => to < graph.length).map((to) => `t${to}`)))
        const ordered = referencedFirst(tables).map((table) => table.table_id)
        expect([...ordered].sort()).toEqual(tables.map((table) => table.table_id).sort())
        // Without circles (edges to smaller numbers only) each reference comes before.
        const acyclic = graph.map((edges, index) => bare(`t${index}`, ...edges.filter((to) => to < index).map((to) => `t${to}`))).reverse()
        const order = referencedFirst(acyclic).map((table) => table.table_id)
        for (const table of acyclic) {
          for (const foreign of table.foreign_keys)
            expect(order.indexOf(foreign.references.table)).toBeLessThan(order.indexOf(table.table_id))
        }
      }),
    )
  })
  it('survive a chain of ten thousand tables', () => {
    const chain = Array.from({ length: 10_000 }, (_, index) => bare(`t${index}`, ...(index < 9_999 ? [`t${index + 1}`] : [])))
    expect(referencedFirst(chain)[0]?.table_id).toBe('t9999')
  })
  it('add no key and no foreign key where there is none', () => {
    const table = {
      ...bare('a'),
      key: null,
      foreign_keys: [{ columns: ['k'], references: { table: 'a', columns: ['k'] }, enforcement: 'none' as const }],
    }
    expect(planSteps([table]).map((step) => step.kind)).toEqual(['create_table', 'copy_table', 'analyze'])
  })
})
