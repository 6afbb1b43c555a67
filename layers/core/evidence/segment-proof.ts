import { readEnvelope } from '../dsse.ts'
import { segmentLeaf } from '../encoding/segment-digest.ts'
import { WaybillError } from '../errors.ts'
import { inclusionProof } from '../merkle.ts'
import type { SegmentProof } from '../schemas/evidence.ts'
import type { ReconReport, SegmentDigest } from '../schemas/recon.ts'

type Side = 'source' | 'target'

/**
 * The proof of one segment, out of a reconciliation report and the certificate over its roots. It is worked out, not judged:
 * `verifySegmentProof` does that.
 * @param certificate the DSSE envelope's bytes
 * @throws NOT_FOUND for a table or segment that was not reconciled, EVIDENCE_INVALID for a certificate that is no envelope
 */
export function segmentProofOf(
  report: ReconReport,
  signed: { certificate: Uint8Array; publicKeyPem: string },
  tableId: string,
  index: number,
): SegmentProof {
  const table = report.tables.find((candidate) => candidate.table_id === tableId)
  if (table === undefined) {
    const known = report.tables.map((each) => each.table_id).join(', ')
    throw new WaybillError('NOT_FOUND', `The reconciliation holds no table ${tableId}; it holds ${known}.`)
  }
  const segments = table.segments.toSorted((a, b) => a.index - b.index)
  const position = segments.findIndex((segment) => segment.index === index)
  if (position === -1) {
    throw new WaybillError('NOT_FOUND', `Table ${tableId} has no segment ${index}; it has ${segments.length}, numbered from 0.`)
  }
  const side = (which: Side) => ({
    rows: segments[position]![`${which}_rows`],
    sha256: segments[position]![`${which}_sha256`],
    path: pathOf(segments, position, which),
    root: table[`${which}_root`],
  })
  const { payload, signature } = readEnvelope(signed.certificate)
  return {
    schema: 'waybill/segment-proof/v1',
    project_id: report.project_id,
    run_id: report.run_id,
    table_id: tableId,
    index,
    position,
    tree_size: segments.length,
    source: side('source'),
    target: side('target'),
    certificate: { payload: Buffer.from(payload).toString('base64'), sig: Buffer.from(signature).toString('base64') },
    public_key: signed.publicKeyPem,
  }
}

function pathOf(segments: readonly SegmentDigest[], position: number, side: Side): SegmentProof['source']['path'] {
  const leaves = segments.map((each) => segmentLeaf(each.index, BigInt(each[`${side}_rows`]), each[`${side}_sha256`]))
  const stands = sidesOfSiblings(position, segments.length)
  return inclusionProof(leaves, position).map((hash, at) => ({ sibling: Buffer.from(hash).toString('hex'), stands: stands[at]! }))
}

/** On which side of the path each sibling stands: a lone last node of a level moves up without one. */
export function sidesOfSiblings(position: number, size: number): ('left' | 'right')[] {
  const sides: ('left' | 'right')[] = []
  for (let at = position, last = size - 1; last > 0; at >>= 1, last >>= 1) {
    if (at % 2 === 1) sides.push('left')
    else if (at < last) sides.push('right')
  }
  return sides
}
