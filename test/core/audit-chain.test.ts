import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anchorFaults, anchorOf, chainFaults, entryDigest, GENESIS, nextEntry } from '../../layers/core/audit-chain.ts'
import { canonicalJson } from '../../layers/core/canonical-json.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { record } from '../../layers/core/ledger.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import { memoryPorts } from './support/memory-ports.ts'

const AT = '2026-03-02T10:00:00.000Z'

function chainOf(length: number, project = 'prj-one'): AuditEntry[] {
  const chain: AuditEntry[] = []
  for (let at = 0; at < length; at++) {
    const details = { step: String(at) }
    chain.push(
      nextEntry(chain.at(-1) ?? null, {
        project_id: project,
        at: AT,
        actor: 'test',
        action: 'STEP_DONE',
        subject_sha256: sha256(String(at)),
        details,
      }),
    )
  }
  return chain
}

describe('audit chain', () => {
  test('starts at 64 zeros, and each digest covers every other field', () => {
    const [first, second] = chainOf(2) as [AuditEntry, AuditEntry]
    expect(first.prev_sha256).toBe('0'.repeat(64))
    expect(second.prev_sha256).toBe(first.entry_sha256)
    const { entry_sha256, ...rest } = second
    expect(entry_sha256).toBe(sha256(canonicalJson(rest)))
    expect(chainFaults([first, second])).toEqual([])
  })

  test('any single change to any field of any entry is named', () => {
    const changes: ((entry: AuditEntry) => AuditEntry)[] = [
      (entry) => ({ ...entry, actor: `${entry.actor}!` }),
      (entry) => ({ ...entry, action: 'STEP_UNDONE' }),
      (entry) => ({ ...entry, at: '2026-03-02T10:00:00.001Z' }),
      (entry) => ({ ...entry, subject_sha256: null }),
      (entry) => ({ ...entry, reasoning_sha256: GENESIS }),
      (entry) => ({ ...entry, details: { ...entry.details, more: '' } }),
      (entry) => ({ ...entry, project_id: 'prj-two' }),
      (entry) => ({ ...entry, seq: entry.seq + 1 }),
      (entry) => ({ ...entry, prev_sha256: sha256('x') }),
      (entry) => ({ ...entry, entry_sha256: sha256('x') }),
    ]
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.nat(), fc.nat({ max: changes.length - 1 }), (length, place, which) => {
        const chain = chainOf(length)
        const at = place % length
        const faults = chainFaults(chain.with(at, changes[which]!(chain[at]!)))
        expect(faults.join('\n')).toContain(`entry ${at}`)
      }),
      { numRuns: 300 },
    )
  })

  test('a changed entry that was digested again breaks the one after it', () => {
    const chain = chainOf(4)
    const { entry_sha256: _, ...rest } = { ...chain[1]!, actor: 'somebody else' }
    const forged = { ...rest, entry_sha256: entryDigest(rest) }
    expect(chainFaults(chain.with(1, forged))).toEqual(['entry 2 does not follow the entry before it'])
  })

  test('a first entry that says it is a later one is noticed, although its digest holds', () => {
    const { entry_sha256: _, ...rest } = { ...chainOf(1)[0]!, seq: 3 }
    expect(chainFaults([{ ...rest, entry_sha256: entryDigest(rest) }])).toEqual([expect.stringMatching(/says it is number 3/)])
  })

  test('removing, doubling, swapping or mixing in entries is noticed', () => {
    const chain = chainOf(5)
    expect(chainFaults(chain.toSpliced(2, 1))).not.toEqual([])
    expect(chainFaults(chain.slice(1))).not.toEqual([])
    expect(chainFaults([...chain, chain[4]!])).not.toEqual([])
    expect(chainFaults(chain.with(1, chain[2]!).with(2, chain[1]!))).not.toEqual([])
    expect(chainFaults(chain.with(4, chainOf(5, 'prj-two')[4]!))).not.toEqual([])
    expect(chainFaults([])).toEqual([expect.stringMatching(/empty/)])
  })

  test('only anchors show a cut tail or a chain rewritten whole', () => {
    const chain = chainOf(5)
    const anchors = [anchorOf(chain[2]!, AT), anchorOf(chain[4]!, AT)]
    expect(anchorFaults(chain, anchors)).toEqual([])
    expect(chainFaults(chain.slice(0, 4))).toEqual([])
    expect(anchorFaults(chain.slice(0, 4), anchors)).toEqual([expect.stringMatching(/cut: entry 4/)])
    const rewritten: AuditEntry[] = []
    for (const entry of chain) rewritten.push(nextEntry(rewritten.at(-1) ?? null, { ...entry, actor: 'somebody else' }))
    expect(chainFaults(rewritten)).toEqual([])
    expect(anchorFaults(rewritten, anchors)).toHaveLength(2)
    expect(anchorFaults(chain, [{ ...anchors[0]!, count: 9 }])).toEqual([expect.stringMatching(/counts 9/)])
  })

  test('refuses what no entry may hold', () => {
    const fields = { project_id: 'prj-one', at: AT, actor: 'test', action: 'STEP_DONE' }
    for (const bad of [
      { action: 'done' },
      { at: '2026-03-02' },
      { actor: '' },
      { subject_sha256: 'abc' },
      { details: { long: 'x'.repeat(1001) } },
    ]) {
      expect(() => nextEntry(null, { ...fields, ...bad })).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }))
    }
    expect(() => nextEntry(chainOf(1, 'prj-two')[0]!, fields)).toThrow(/cannot follow/)
  })
})

describe('ledger', () => {
  test('writers at the same time make one unbroken chain with everything in it', async () => {
    const ports = memoryPorts()
    await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        record(ports, 'prj-one', { actor: 'test', action: 'STEP_DONE', details: { step: String(at) } }),
      ),
    )
    const chain = ports.chain('prj-one')
    expect(chainFaults(chain)).toEqual([])
    expect(new Set(chain.map((entry) => entry.details.step)).size).toBe(20)
  })

  test('a write whose answer got lost is not written twice', async () => {
    let lost = false
    const ports = memoryPorts({
      after: () => {
        if (lost) return
        lost = true
        throw new WaybillError('CONFLICT', 'the client tried again by itself, and met its own entry')
      },
    })
    await record(ports, 'prj-one', { actor: 'test', action: 'STEP_DONE' })
    expect(ports.chain('prj-one')).toHaveLength(1)
  })

  test('texts too long or not well-formed are recorded as far as an entry holds them', async () => {
    const ports = memoryPorts()
    const entry = await record(ports, 'prj-one', {
      actor: 'test',
      action: 'RUN_FAILED',
      details: { reason: `\ud800${'x'.repeat(998)}😀😀` },
    })
    expect(entry.details.reason).toHaveLength(1000)
    expect(entry.details.reason?.isWellFormed()).toBe(true)
    expect(chainFaults(ports.chain('prj-one'))).toEqual([])
  })

  test('other failures are not retried', async () => {
    const ports = memoryPorts({
      before: () => {
        throw new WaybillError('PERMISSION_DENIED', 'no')
      },
    })
    await expect(record(ports, 'prj-one', { actor: 'test', action: 'STEP_DONE' })).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  })
})
