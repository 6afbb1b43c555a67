import { WaybillError } from '../core/errors.ts'

/** One element of DER: its tag, its content, the two with their length, and what lies behind it. */
export type Element = { tag: number; content: Buffer; whole: Buffer; rest: Buffer }

/** Reads the first element. @throws EVIDENCE_INVALID for lengths that DER does not have or that run over the end */
export function readElement(bytes: Uint8Array): Element {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const first = buffer[1]
  if (buffer[0] === undefined || first === undefined) throw malformed()
  let [start, length] = [2, first]
  if (first >= 0x80) {
    const digits = first & 0x7f
    if (digits < 1 || digits > 4 || buffer.length < 2 + digits) throw malformed()
    start += digits
    length = buffer.readUIntBE(2, digits)
    // DER: the shortest form of a length is the only one.
    if (length < 0x80 || buffer[2] === 0) throw malformed()
  }
  if (buffer.length < start + length) throw malformed()
  const end = start + length
  return { tag: buffer[0], content: buffer.subarray(start, end), whole: buffer.subarray(0, end), rest: buffer.subarray(end) }
}

/** The elements inside a constructed one, in order. @throws EVIDENCE_INVALID */
export function elementsOf(content: Uint8Array): Element[] {
  const elements: Element[] = []
  for (let rest: Uint8Array = content; rest.length > 0; ) {
    const element = readElement(rest)
    elements.push(element)
    rest = element.rest
  }
  return elements
}

function malformed(): WaybillError {
  return new WaybillError('EVIDENCE_INVALID', 'this is no DER: an element is cut off or has a length in another form')
}
