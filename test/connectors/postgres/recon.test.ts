import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openReconciler } from '../../../layers/connectors/postgres/reconciler.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { load, mappingOf, optionsOf, type Pair, reconcile, reconOf } from './recon-fixture.ts'

let pair: Pair
beforeAll(async () => {
  pair = { source: await freshDatabase(), target: await freshDatabase() }
})
afterAll(async () => {
  await pair.source.drop()
  await pair.target.drop()
})

describe('a keyed table', () => {
  const mapping = mappingOf('people', { id: 'integer', name: 'text', born: 'date' }, { key: ['id'], order_key: 'id' })

  it('is equal, segment by segment, with one root', async () => {
    await load(
      pair,
      `CREATE TABLE people (id int PRIMARY KEY, name text, born date); INSERT INTO people SELECT g, 'n' || g, date '2000-01-01' + g FROM generate_series(1, 1000) g`,
    )
    const { result, mismatches } = await reconcile(pair, mapping)
    expect(result.verdict).toBe('pass')
    expect(result.reasons).toEqual([])
    expect(result.mode).toBe('ordered')
    expect(result.segments).toHaveLength(4)
    expect(result.source_rows).toBe('1000')
    expect(result.source_root).toBe(result.target_root)
    expect(mismatches).toEqual([])
    expect(result.ordering).toMatchObject({ verdict: 'pass', violations: '0', first_source: '1', last_target: '1000' })
  })

  it('names exactly the missing, extra and changed rows and the changed columns', async () => {
    await load(
      pair,
      'SELECT 1',
      '',
      `DELETE FROM people WHERE id = 17; UPDATE people SET name = 'x', born = NULL WHERE id = 500; INSERT INTO people VALUES (5000, 'late', NULL), (-3, NULL, '0044-03-15 BC')`,
    )
    for (const connections of [1, 3]) {
      const { result, mismatches } = await reconcile(pair, mapping, {}, { connections })
      expect(result.verdict).toBe('fail')
      expect(result.severity).toBe('Critical')
      expect([result.missing, result.extra, result.changed]).toEqual(['1', '2', '1'])
      expect(mismatches).toHaveLength(4)
      expect(mismatches.find((m) => m.kind === 'missing')).toMatchObject({ key: [{ column: 'id', value: '17' }] })
      expect(
        mismatches
          .filter((m) => m.kind === 'extra')
          .map((m) => m.key[0]!.value)
          .sort(),
      ).toEqual(['-3', '5000'])
      expect(mismatches.find((m) => m.kind === 'changed')).toMatchObject({
        key: [{ column: 'id', value: '500' }],
        columns: [
          { column: 'name', source: 'n500', target: 'x' },
          { column: 'born', source: '2001-05-15', target: null },
        ],
      })
    }
    const { result, mismatches } = await reconcile(pair, mapping, { mode: 'bucketed' })
    expect([result.mode, result.missing, result.extra, result.changed]).toEqual(['bucketed', '1', '2', '1'])
    expect(mismatches).toHaveLength(4)
  })
})

describe('rows alone', () => {
  it('a column that is neither compared nor known not to be is no detail', async () => {
    await load(
      pair,
      'CREATE TABLE grown (id int PRIMARY KEY, a int); INSERT INTO grown VALUES (1, 2)',
      'ALTER TABLE grown ADD late text',
      'ALTER TABLE grown ADD other text',
    )
    const mapping = mappingOf('grown', { id: 'integer', a: 'integer' }, { key: ['id'] })
    const verdict = async (source: string[], target: string[]) => {
      const reconciler = await openReconciler(
        { systemType: 'POSTGRESQL', url: pair.source.url },
        { systemType: 'POSTGRESQL', url: pair.target.url },
        { connectTimeoutMs: 10_000, statementTimeoutMs: 60_000, signal: new AbortController().signal },
      )
      const [result] = await reconciler.reconcile(
        [{ mapping, recon: reconOf(mapping), rowsOnly: { known: { source, target } } }],
        optionsOf(),
      )
      await reconciler.close()
      return [result!.verdict, ...result!.reasons, ...result!.schema_differences]
    }
    expect(await verdict(['late'], ['other'])).toEqual(['pass'])
    expect(await verdict([], ['other'])).toEqual(['inconclusive', expect.stringContaining('The source table got a column "late"')])
    expect(await verdict(['late'], [])).toEqual(['inconclusive', expect.stringContaining('The target table got a column "other"')])
  })
})
