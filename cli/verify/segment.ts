import { parseStrictJson } from '../../layers/core/canonical-json.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { segmentProofOf } from '../../layers/core/evidence/segment-proof.ts'
import type { SegmentProof } from '../../layers/core/schemas/evidence.ts'
import { outcomePredicate } from '../../layers/core/schemas/outcome.ts'
import { reconReport } from '../../layers/core/schemas/recon.ts'
import { openEnvelope } from '../../layers/core/statement.ts'
import type { PackReader } from '../../layers/core/verifier/index.ts'
import { segmentCommands } from '../../layers/core/verifier/segment-commands.ts'
import type { SegmentVerification } from '../../layers/core/verifier/segment-proof.ts'
import { type Terminal, visible } from '../terminal.ts'
import { printFaults } from './print.ts'

/** `TABLE:INDEX`. @throws BAD_INPUT */
export function segmentName(text: string): { table: string; index: number } {
  const match = /^([a-z0-9][a-z0-9_-]{0,79}):(\d{1,9})$/.exec(text)
  if (match === null)
    throw new WaybillError('BAD_INPUT', `--segment takes a table's id and a segment's number, such as flights:12; "${text}" is not that.`)
  return { table: match[1]!, index: Number(match[2]) }
}

/** The proof of one segment of the run that a verified pack's certificate is about. @throws NOT_FOUND, EVIDENCE_INVALID */
export async function segmentOf(pack: PackReader, name: { table: string; index: number }): Promise<SegmentProof> {
  const files = (await pack.list()).files
  if (!files.includes('proof_certificate.dsse.json'))
    throw new WaybillError(
      'NOT_FOUND',
      'This pack has no proof certificate: the project ended before an outcome was proven, and no roots were signed.',
    )
  const certificate = await pack.read('proof_certificate.dsse.json')
  const publicKeyPem = Buffer.from(await pack.read('proof_certificate.pub.pem')).toString('utf8')
  const { run_id } = outcomePredicate.parse(openEnvelope(certificate, [publicKeyPem]).predicate)
  const report = reconReport.parse(parseStrictJson(await pack.read(`recon/recon_report.${run_id}.json`)))
  return segmentProofOf(report, { certificate, publicKeyPem }, name.table, name.index)
}

export function printSegment(terminal: Terminal, { verified, trust, proof, certificate, equal, faults }: SegmentVerification): void {
  if (!verified || proof === null || certificate === null) {
    printFaults(terminal, faults)
    return
  }
  const { index, table_id, tree_size, position, source, target } = proof
  terminal.out(
    `\nSegment ${index} of ${visible(table_id)}, leaf ${position} of ${tree_size} in run ${proof.run_id} of project ${proof.project_id}`,
  )
  for (const [side, { rows, sha256, root, path }] of [
    ['source', source],
    ['target', target],
  ] as const) {
    terminal.out(`  ${side}  ${rows} rows, SHA-256 ${sha256}`)
    terminal.out(`          ${path.length} steps to the signed root ${root}`)
  }
  terminal.out(equal ? 'Both sides are equal.' : terminal.paint('red', 'The sides differ.'))
  terminal.out(`The certificate over the roots says that the proof is ${certificate.proof_status}.`)
  terminal.out('\nThe same with sha256sum alone, in any shell:\n')
  terminal.out(segmentCommands(proof))
  if (trust === 'pinned') terminal.out(terminal.paint(['bold', 'green'], '\nThe segment lies under a root signed by a key you trust.'))
  else
    terminal.out(terminal.paint('bold', '\nThe segment lies under the signed root. Who signed was not checked: pin the key with --trust.'))
}
