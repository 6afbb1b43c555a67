import { getJson } from '../../layers/core/artifacts.ts'
import { atOnce } from '../../layers/core/flow/at-once.ts'
import { keyOf, keysIn } from '../../layers/core/flow/storing.ts'
import { recordedNights } from '../../layers/core/nights/count.ts'
import type { NightEvidence } from '../../layers/core/nights/shown.ts'
import type { Ports } from '../../layers/core/ports.ts'
import type { AuditEntry } from '../../layers/core/schemas/governance.ts'
import { type NightRecord, nightRecord } from '../../layers/core/schemas/night.ts'
import { outcomePredicate } from '../../layers/core/schemas/outcome.ts'
import { type ReconReport, reconReport } from '../../layers/core/schemas/recon.ts'
import { openPredicate } from '../../layers/core/statement.ts'

/**
 * What is stored of the nights that the log calls clean: records, comparisons and certificates, each from its own place, whatever the project
 * record points to. What is missing is left out.
 * @throws EVIDENCE_INVALID for a certificate that is not authentic, or a document that is none
 */
export async function nightEvidence(
  deps: Pick<Ports, 'artifacts' | 'trust'>,
  projectId: string,
  entries: readonly AuditEntry[],
): Promise<NightEvidence> {
  const { artifacts } = deps
  const clean = recordedNights(entries).filter(({ result }) => result === 'clean')
  const folder = `projects/${projectId}/nights/`
  const days = new Set(clean.map(({ night }) => night))
  const keys = (await keysIn(artifacts, folder)).filter((key) => days.has(key.slice(folder.length, folder.length + 10)))
  const named = new Set(entries.map(({ subject_sha256 }) => subject_sha256))
  const records = await atOnce(keys, async (key): Promise<[string, NightRecord][]> => {
    const pointer = await artifacts.find(key)
    return pointer === null || !named.has(pointer.sha256) ? [] : [[pointer.sha256, await getJson(artifacts, pointer, nightRecord)]]
  })
  const runs = [...new Set(clean.map(({ run_id }) => run_id))]
  const reports = await atOnce(runs, async (run): Promise<[string, { sha256: string; report: ReconReport }][]> => {
    const pointer = await artifacts.find(keyOf(projectId, 'recon_report', run))
    return pointer === null ? [] : [[run, { sha256: pointer.sha256, report: await getJson(artifacts, pointer, reconReport) }]]
  })
  const proven = await atOnce(runs, async (run): Promise<[string, string][]> => {
    const pointer = await artifacts.find(keyOf(projectId, 'proof_certificate', run, 'dsse.json'))
    if (pointer === null) return []
    const { predicate } = openPredicate(await artifacts.get(pointer), deps.trust, 'outcome', outcomePredicate)
    const own = predicate.project_id === projectId && predicate.run_id === run && predicate.proof_status === 'VALID'
    return own ? [[run, predicate.plan_sha256]] : []
  })
  return { records: new Map(records.flat()), reports: new Map(reports.flat()), proven: new Map(proven.flat()) }
}
