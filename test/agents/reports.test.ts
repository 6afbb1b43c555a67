import { describe, expect, it } from 'vitest'
import { cutoverAgent } from '../../layers/agents/cutover.ts'
import { discoveryAgent } from '../../layers/agents/discovery.ts'
import { mappingAgent } from '../../layers/agents/mapping.ts'
import { runAgent } from '../../layers/agents/orchestrator.ts'
import { suspectedPii } from '../../layers/agents/personal-data.ts'
import { profilingAgent } from '../../layers/agents/profiling.ts'
import { reconAgent } from '../../layers/agents/recon.ts'
import { compilePlan } from '../../layers/core/plan-compiler.ts'
import { archetypes, defaultPolicy } from '../../layers/core/rulebooks.ts'
import {
  catalogOf,
  column,
  discoveryFacts,
  FOREIGN_KEY_ANSWERS,
  flightsCatalog,
  flightsIdentities,
  flightsProfile,
  flightsSpec,
  mappingFacts,
  profileOf,
  table,
} from './support/facts.ts'

describe('discovery', () => {
  it('reports objects, keys, partitions and declared foreign keys', async () => {
    const source = catalogOf(
      table('b', 'parent', [column('id', 'bigint')], { primary_key: ['id'], partitions: ['parent_2026'], kind: 'partitioned' }),
      table('a', 'child', [column('parent_id', 'bigint'), column('code', 'text')], {
        unique_keys: [{ name: 'u', columns: ['code'], nullable: true }],
        foreign_keys: [{ name: 'f', columns: ['code'], references: { schema: 'b', name: 'parent', columns: ['id'] }, validated: true }],
      }),
      table('a', 'bare', [column('id', 'bigint')]),
    )
    const { proposal } = await runAgent(discoveryAgent, { ...discoveryFacts(), source })
    expect(proposal.schemas).toEqual(['a', 'b'])
    expect(proposal.partitions).toEqual([{ object: 'b.parent', partitions: ['parent_2026'] }])
    expect(proposal.keys.map((key) => [key.object, key.kind])).toEqual([
      ['b.parent', 'primary'],
      ['a.child', 'unique-nullable'],
      ['a.bare', 'none'],
    ])
    expect(proposal.foreign_key_candidates).toEqual([
      { object: 'a.child', columns: ['code'], references: 'b.parent', referenced_columns: ['id'], basis: 'declared' },
      { object: 'a.child', columns: ['parent_id'], references: 'b.parent', referenced_columns: ['id'], basis: 'name-and-type' },
    ])
  })
})

describe('profiling', () => {
  it('flags what would surprise', async () => {
    const source = catalogOf(
      table('s', 'a', [column('email', 'text'), column('same', 'text'), column('gone', 'text')]),
      table('s', 'empty', [column('x', 'text')], { primary_key: ['x'] }),
    )
    const figures: Record<string, { nulls?: string; distinct?: string | null }> = {
      same: { distinct: '1' },
      gone: { nulls: '8', distinct: '0' },
      email: { distinct: null },
    }
    const profile = profileOf(source, { a: '8', empty: '0' }, (_table, name) => figures[name] ?? {})
    const { proposal, reasoning } = await runAgent(profilingAgent, { source, profile, pii_name_fragments: ['email'] })
    expect(proposal.flags.map((flag) => [flag.flag, flag.column])).toEqual([
      ['no-key', null],
      ['exact-duplicates', null],
      ['suspected-personal-data', 'email'],
      ['constant-column', 'same'],
      ['all-null-column', 'gone'],
      ['empty-table', null],
    ])
    expect(proposal.columns.map((entry) => entry.null_rate)).toEqual(['0.000000', '0.000000', '1.000000', null])
    expect(reasoning.confidence).toBe(0.8)
  })
  it('says which tables were too large to be scanned', async () => {
    const source = catalogOf(table('s', 'a', [column('x', 'text')], { primary_key: ['x'] }), table('s', 'huge', [column('x', 'text')]))
    const profile = profileOf(source, { a: '8' })
    const scanned = { tables: profile.tables.filter((each) => each.name === 'a') }
    const { proposal, reasoning } = await runAgent(profilingAgent, { source, profile: scanned, pii_name_fragments: [] })
    expect(proposal.row_counts.map((entry) => entry.object)).toEqual(['s.a'])
    expect(reasoning.limitations.join(' ')).toContain('1 table is too large to be scanned for a profile')
    expect(reasoning.limitations.join(' ')).toContain('s.huge')
    expect(reasoning.confidence).toBe(0.8)
  })
  it('keeps smallest and largest values of numbers and times only', async () => {
    const source = catalogOf(
      table('s', 'a', [
        column('n', 'bigint'),
        column('t', 'timestamp(3) with time zone'),
        column('x', 'text'),
        column('birth_date', 'date'),
        column('d', 'DOUBLE'),
      ]),
    )
    const { proposal } = await runAgent(profilingAgent, { source, profile: profileOf(source, { a: '8' }), pii_name_fragments: ['birth'] })
    const columns = proposal.profile.tables[0]?.columns ?? []
    expect(columns.map((entry) => [entry.name, entry.min, entry.max])).toEqual([
      ['n', 'private-min', 'private-max'],
      ['t', 'private-min', 'private-max'],
      ['x', null, null],
      ['birth_date', null, null],
      ['d', 'private-min', 'private-max'],
    ])
    expect(columns[2]?.reason).toContain('withheld')
  })
  it.each([
    ['firstName', true],
    ['FIRST-NAME', true],
    ['firstname', true],
    ['customer_e_mail', true],
    ['class_name', false],
    ['ssn', true],
    ['state', false],
  ])('the name %s suggests personal data: %s', (name, expected) => {
    expect(suspectedPii(name, ['first_name', 'e_mail', 'ssn'])).toBe(expected)
  })
})

const flightsMapping = async () => (await runAgent(mappingAgent, mappingFacts({ answers: FOREIGN_KEY_ANSWERS }))).proposal

describe('recon', () => {
  const facts = async () => ({
    mapping: await flightsMapping(),
    source_system_type: 'POSTGRESQL' as const,
    target_system_type: 'POSTGRESQL' as const,
    source: flightsCatalog(),
    profile: flightsProfile(),
  })
  it('compares every row: ranges by key, a power of two of buckets without one', async () => {
    const { proposal } = await runAgent(reconAgent, await facts())
    expect(proposal.tables).toEqual([
      { table_id: 'airport', encoding: 'native', mode: 'ordered', segments: 1, tolerances: [] },
      { table_id: 'flight', encoding: 'native', mode: 'bucketed', segments: 256, tolerances: [] },
    ])
    expect(proposal.sampling.method).toBe('full')
    expect(proposal.sampling.seed).not.toBe('')
  })
  it('proposes the tolerances that the spec asks for and no other, and says that they are there', async () => {
    const asked = [{ column: 'latitude', kind: 'absolute' as const, value: '0.01' }]
    const { proposal, reasoning } = await runAgent(reconAgent, {
      ...(await facts()),
      tolerances: [{ table_id: 'airport', tolerances: asked }],
    })
    expect(proposal.tables.map((entry) => entry.tolerances)).toEqual([asked, []])
    expect(reasoning.limitations.join()).toContain('1 column is compared within a tolerance')
    expect((await runAgent(reconAgent, await facts())).reasoning.limitations.join()).not.toContain('tolerance')
  })
  it('uses the engine-neutral form where the sides differ', async () => {
    const { proposal } = await runAgent(reconAgent, { ...(await facts()), source_system_type: 'CSV' })
    expect(proposal.tables.map((entry) => entry.encoding)).toEqual(['canonical', 'canonical'])
  })
  it.each([
    ['0', 1, 1],
    ['1', 1, 1],
    ['20000', 1, 2],
    ['20001', 2, 2],
    ['99999999999999', 65_536, 65_536],
  ])('%s rows give %i ranges or %i buckets', async (rows, ranges, buckets) => {
    const given = await facts()
    const profile = { tables: given.profile.tables.map((entry) => ({ ...entry, rows })) }
    const { proposal } = await runAgent(reconAgent, { ...given, profile })
    expect(proposal.tables.map((entry) => entry.segments)).toEqual([ranges, buckets])
  })
  it('sizes by the system’s estimate without a profile, and says when there is none', async () => {
    const given = { ...(await facts()), profile: null }
    expect((await runAgent(reconAgent, given)).proposal.tables[1]?.segments).toBe(256)
    const source = { ...given.source, tables: given.source.tables.map((entry) => ({ ...entry, estimated_rows: '0' })) }
    const { reasoning } = await runAgent(reconAgent, { ...given, source })
    expect(reasoning.limitations.join()).toContain('2 tables have no known size')
  })
})

describe('cutover', () => {
  const facts = async (title = 'Flights') => {
    const mapping = await flightsMapping()
    const spec = { ...flightsSpec(), title }
    const { proposal: recon } = await runAgent(reconAgent, {
      mapping,
      source_system_type: 'POSTGRESQL',
      target_system_type: 'POSTGRESQL',
      source: flightsCatalog(),
      profile: null,
    })
    const plan = compilePlan({
      projectId: 'p-1',
      planVersion: 1,
      spec,
      archetype: archetypes[0]!,
      policy: defaultPolicy,
      identities: flightsIdentities(),
      source: flightsCatalog(),
      profile: null,
      mapping,
      recon,
      answers: [],
      now: new Date(0),
    })
    return {
      plan,
      approvers: spec.approvers,
      proof_sha256: 'a'.repeat(64),
      proof_valid: true,
      clean_runs: 1,
      clean_runs_required: 1,
      pull_request: null,
    }
  }
  it('says for each step who, how it is verified and how it is undone', async () => {
    const { proposal } = await runAgent(cutoverAgent, await facts())
    expect(proposal.steps.map((step) => step.step)).toEqual(proposal.steps.map((_, index) => index + 1))
    for (const step of proposal.steps)
      for (const text of [step.who, step.what, step.verify, step.undo]) expect(text.length).toBeGreaterThan(3)
    expect(proposal.steps.some((step) => step.what.includes('orphans'))).toBe(true)
    for (const step of proposal.steps) expect(proposal.runbook_markdown).toContain(`| ${step.step} |`)
  })
  it('names roles that nobody holds', async () => {
    const given = await facts()
    const { proposal } = await runAgent(cutoverAgent, { ...given, approvers: [] })
    expect(proposal.steps[0]?.who).toBe('release manager (not named in the spec)')
  })
  it('warns where the proof is not valid', async () => {
    const { proposal, reasoning } = await runAgent(cutoverAgent, { ...(await facts()), proof_valid: false })
    expect(proposal.runbook_markdown).toContain('not valid, do not go on')
    expect(reasoning.confidence).toBeLessThan(0.5)
  })
  it('lets no markup of a title into the runbook', async () => {
    const { proposal } = await runAgent(cutoverAgent, await facts('<script>x</script> [go](javascript:y) `z`'))
    expect(proposal.runbook_markdown).not.toMatch(/<script|\]\(|`/)
  })
})
