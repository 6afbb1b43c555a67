import { createReadStream } from 'node:fs'

const BYTE_ORDER_MARK = Buffer.from('\ufeff')

/** The bytes of a file of text from end to end, in parts of at most about a mebibyte, without the byte order mark it may begin with. */
export async function* textParts(path: string): AsyncGenerator<Buffer> {
  let head: Buffer | null = Buffer.alloc(0)
  for await (const part of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    if (head === null) yield part as Buffer
    else {
      head = Buffer.concat([head, part as Buffer])
      if (head.length < BYTE_ORDER_MARK.length) continue
      yield behindMark(head)
      head = null
    }
  }
  if (head !== null) yield behindMark(head)
}

function behindMark(head: Buffer): Buffer {
  const mark = BYTE_ORDER_MARK.length
  return head.subarray(0, mark).equals(BYTE_ORDER_MARK) ? head.subarray(mark) : head
}
