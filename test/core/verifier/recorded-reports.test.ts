import { expect, it } from 'vitest'
import { nextEntry } from '../../../layers/core/audit-chain.ts'
import type { PackInput } from '../../../layers/core/evidence/pack.ts'
import type { AuditEntry } from '../../../layers/core/schemas/governance.ts'
import { memoryReader, verifyPack } from '../../../layers/core/verifier/index.ts'
import { anchoredAgain, fixturePackInput, sealFixture } from '../../support/pack-fixture.ts'

const { input, signers } = await fixturePackInput()

async function faultsOf(change: Partial<PackInput>): Promise<string> {
  return (await verifyPack(memoryReader(await sealFixture({ ...input, ...change }, signers)))).faults.join('\n')
}

const appended = (details: Record<string, string>, subject_sha256: string): AuditEntry[] => {
  const { project_id, at, actor } = input.entries.at(-1)!
  const fields = { project_id, at, actor, action: 'RECONCILIATION_MERGED', subject_sha256, details }
  return [...input.entries, nextEntry(input.entries.at(-1)!, fields)]
}
const merging = input.entries.find(({ action }) => action === 'RECONCILIATION_MERGED')!
const altered = (bytes: Uint8Array) => Buffer.from(Buffer.from(bytes).toString('utf8').replace('"reasons":[]', '"reasons":["x"]'))

it('names a comparison that the log does not record, or records as another, and an execution that is not the one recorded', async () => {
  expect(await faultsOf({})).toBe('')
  const beside = appended({ ...merging.details, verdict: 'fail' }, merging.subject_sha256!)
  const another = appended(merging.details, 'f'.repeat(64))
  expect(await faultsOf({ entries: beside })).toMatch(/recon_report\.run-1\.json: audit entry \d+ records another comparison of run run-1/)
  expect(await faultsOf({ entries: another })).toMatch(/recon_report\.run-1\.json: audit entry \d+ records another comparison of run run-1/)
  // A retry makes no second entry: whoever repeats an old comparison wants it to be the newest.
  const again = await anchoredAgain({ ...input, entries: appended(merging.details, merging.subject_sha256!) }, signers)
  expect(await faultsOf(again)).toMatch(
    /^audit\/entries\.jsonl: audit entry \d+ records the comparison of run run-1, or its report, a second time$/,
  )
  expect(await faultsOf({ reconReports: input.reconReports.map(altered) })).toContain('records another comparison of run run-1')
  const unknown = Buffer.from(Buffer.from(input.reconReports[0]!).toString('utf8').replaceAll('"run-1"', '"run-9"'))
  expect(await faultsOf({ reconReports: [...input.reconReports, unknown] })).toContain(
    'does not record that the comparison of run run-9 was merged',
  )
  const retried = Buffer.from(
    Buffer.from(input.executionReport!)
      .toString('utf8')
      .replace(/"retries":"\d+"/, '"retries":"41"'),
  )
  expect(await faultsOf({ executionReport: retried })).toContain(
    'recon/execution_report.json: is not the execution that the audit log records',
  )
})
