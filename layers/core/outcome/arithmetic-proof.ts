import { everyValue, type LooseDocument } from './loose-document.ts'

const PROOF = 'proof_certificate'
const NEAR = 1e-6

/** Names that promise a digest. `checksum_algorithm` and the like promise none. */
const DIGEST_NAME = /(_checksum|_hash|_sha256|_root)$/

export function* checksumFaults(document: LooseDocument): Generator<string> {
  for (const { pointer, key, value } of everyValue(document.at('proof_certificate'), PROOF)) yield* digestFault(pointer, key, value)
  for (const { pointer, key, value } of everyValue(document.at('inputs'), 'inputs')) yield* digestFault(pointer, key, value)
}

function* digestFault(pointer: string, key: string, value: unknown): Generator<string> {
  if (!DIGEST_NAME.test(key) || typeof value !== 'string' || /^[0-9a-f]{64}$/.test(value)) return
  yield /^[0-9a-f]*$/.test(value)
    ? `/${pointer}: a SHA-256 has 64 hexadecimal digits, this has ${value.length}`
    : `/${pointer}: a SHA-256 is 64 lower-case hexadecimal digits, this holds other characters`
}

export function* proofFaults(document: LooseDocument): Generator<string> {
  yield* integrityFaults(document)
  yield* completenessFaults(document)
  yield* orderingFaults(document)
  yield* toleranceFaults(document)
  yield* formulaFaults(document)
}

function* integrityFaults(document: LooseDocument): Generator<string> {
  const at = `${PROOF}/integrity_result`
  const source = document.text(`${at}/source_checksum`)
  const target = document.text(`${at}/target_checksum`)
  const status = document.text(`${at}/status`)
  if (status === 'PASS' && source !== undefined && target !== undefined && source !== target) {
    yield `/${at}/status: PASS although the two checksums differ`
  }
  const verified = document.count(`${at}/sample_records_verified`)
  const passed = document.count(`${at}/sample_records_passed`)
  if (verified !== undefined && passed !== undefined) {
    if (passed > verified) yield `/${at}/sample_records_passed: more records passed (${passed}) than were verified (${verified})`
    if (status === 'PASS' && passed !== verified) yield `/${at}/status: PASS although ${verified - passed} verified records did not pass`
    yield* quotient(document, `${at}/sample_pass_rate`, passed, verified)
  }
}

function* completenessFaults(document: LooseDocument): Generator<string> {
  const at = `${PROOF}/completeness_result`
  const source = document.count(`${at}/source_record_count`)
  const target = document.count(`${at}/target_record_count`)
  if (source === undefined || target === undefined) return
  const delta = document.count(`${at}/record_count_delta`)
  if (delta !== undefined && delta !== target - source)
    yield `/${at}/record_count_delta: ${target} − ${source} is ${target - source}, not ${delta}`
  const missing = document.count(`${at}/missing_records`)
  const extra = document.count(`${at}/extra_records`)
  const status = document.text(`${at}/status`)
  if (status === 'PASS' && target !== source) yield `/${at}/status: PASS although the record counts differ`
  if (status === 'PASS' && (missing ?? 0n) + (extra ?? 0n) > 0n) yield `/${at}/status: PASS although records are missing or extra`
  const lost = source > target ? source - target : 0n
  const arrived = source - (missing ?? lost)
  if (status !== 'INCONCLUSIVE') yield* quotient(document, `${at}/completeness_ratio`, arrived, source)
  for (const [name, total] of [
    ['source_record_count', source],
    ['target_record_count', target],
  ] as const) {
    const tables = document.list(`${PROOF}/tables`)
    if (tables.length === 0) continue
    const sum = tables.reduce<bigint>((rows, _, index) => rows + (document.count(`${PROOF}/tables/${index}/${name}`) ?? 0n), 0n)
    if (sum !== total) yield `/${at}/${name}: the tables hold ${sum} records together, not ${total}`
  }
}

function* quotient(document: LooseDocument, pointer: string, part: bigint, whole: bigint): Generator<string> {
  const stated = document.number(pointer)
  if (stated === undefined) return
  if (whole === 0n) yield `/${pointer}: a ratio of nothing cannot be ${stated}`
  else if (Math.abs(stated - Number(part) / Number(whole)) > NEAR || (stated === 1) !== (part === whole)) {
    yield `/${pointer}: ${part} ÷ ${whole} is not ${stated}`
  }
}

function* orderingFaults(document: LooseDocument): Generator<string> {
  const at = `${PROOF}/ordering_result`
  const status = document.text(`${at}/status`)
  const violations = document.count(`${at}/ordering_violations`)
  const preserved = document.flag(`${at}/sequence_preserved`)
  if (status === 'PASS' && (violations ?? 0n) > 0n) yield `/${at}/status: PASS although ${violations} records are out of order`
  if (preserved === true && status !== 'PASS') yield `/${at}/sequence_preserved: true although the status is ${status}`
}

function* toleranceFaults(document: LooseDocument): Generator<string> {
  for (const [table] of document.list(`${PROOF}/tables`).entries()) {
    const at = `${PROOF}/tables/${table}`
    for (const [index] of document.list(`${at}/tolerances`).entries()) {
      const column = `${at}/tolerances/${index}`
      const [compared, equal, within, beyond] = ['compared', 'equal', 'within', 'beyond'].map((name) => document.count(`${column}/${name}`))
      if (compared === undefined || equal === undefined || within === undefined || beyond === undefined) continue
      if (equal + within + beyond !== compared)
        yield `/${column}/compared: ${equal} equal, ${within} within and ${beyond} beyond are not ${compared}`
      if (beyond > 0n && document.text(`${at}/status`) === 'PASS')
        yield `/${at}/status: PASS although ${beyond} records are beyond a tolerance`
      const source = document.count(`${at}/source_record_count`)
      const missing = document.count(`${at}/missing`)
      if (source !== undefined && missing !== undefined && source - missing !== compared)
        yield `/${column}/compared: ${source} source records of which ${missing} are missing are not ${compared}`
    }
  }
}

const FACTORS = [
  ['I_t_integrity', 'integrity_result'],
  ['C_t_completeness', 'completeness_result'],
  ['K_t_consistency', 'consistency_result'],
  ['O_t_ordering', 'ordering_result'],
] as const

function* formulaFaults(document: LooseDocument): Generator<string> {
  const at = `${PROOF}/proof_formula_evaluation`
  let holds = true
  for (const [factor, section] of FACTORS) {
    const value = document.at(`${at}/${factor}`)
    const status = document.text(`${PROOF}/${section}/status`)
    const applies = status !== 'NOT_APPLICABLE'
    const expected = status === undefined ? value : applies ? Number(status === 'PASS') : null
    if (value !== expected) yield `/${at}/${factor}: ${JSON.stringify(value) ?? 'absent'} although the status of ${section} is ${status}`
    if (value !== 1 && !(value === null && !applies && factor === 'O_t_ordering')) holds = false
  }
  const valid = document.flag(`${at}/PROOF_VALID`)
  if (valid !== undefined && valid !== holds) yield `/${at}/PROOF_VALID: ${valid} is not the conjunction of its four factors`
  const proofStatus = document.text(`${PROOF}/proof_status`)
  if (proofStatus !== undefined && valid !== undefined && (proofStatus === 'VALID') !== valid) {
    yield `/${PROOF}/proof_status: ${proofStatus} although PROOF_VALID is ${valid}`
  }
  const confidence = document.number(`${at}/proof_confidence`)
  const match = document.number(`${PROOF}/integrity_result/match_confidence`)
  if (confidence !== undefined && match !== undefined && confidence > match) {
    yield `/${at}/proof_confidence: ${confidence} is more than the confidence of the comparison, ${match}`
  }
  if (confidence !== undefined && valid === false) yield `/${at}/proof_confidence: ${confidence} in a proof that does not hold`
  yield* unfinishedFaults(document, proofStatus)
}

function* unfinishedFaults(document: LooseDocument, proofStatus: string | undefined): Generator<string> {
  for (const { pointer, key, value } of everyValue(document.at('execution_timeline'), 'execution_timeline')) {
    if (key !== 'status' || value !== 'IN_PROGRESS') continue
    if (proofStatus === 'VALID') yield `/${pointer}: the proof is VALID while this phase is IN_PROGRESS`
    const phase = pointer.slice(0, -'/status'.length)
    if (document.number(`${phase}/transfer_progress_percentage`) === 100) yield `/${pointer}: IN_PROGRESS at 100 percent`
  }
}
