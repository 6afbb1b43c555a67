import { checksumFaults, proofFaults } from './arithmetic-proof.ts'
import { durationFaults, serviceLevelFaults } from './arithmetic-service-levels.ts'
import { driftFaults, scoreFaults } from './arithmetic-verdict.ts'
import { looseDocument } from './loose-document.ts'

/**
 * Recomputes every derived figure of an outcome document and names what does not follow: digests that are no digests, ratios, deltas,
 * headrooms, sums, durations, scores, the conjunction of the proof, a proof of something still in progress, milliseconds given as
 * seconds. Works on any document with these field names, also one that Waybill did not write; figures that are absent or null are
 * left alone, so an empty list means that nothing contradicts itself, not that everything was measured.
 * @returns one sentence per fault, each starting with the JSON pointer it is about
 */
export function arithmeticFaults(document: unknown): string[] {
  const loose = looseDocument(document)
  const rules = [checksumFaults, proofFaults, driftFaults, scoreFaults, serviceLevelFaults, durationFaults]
  return rules.flatMap((rule) => [...rule(loose)])
}
