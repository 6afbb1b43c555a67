import { canonicalBytes } from '../canonical-json.ts'
import { WaybillError } from '../errors.ts'
import { merkleRoot } from '../merkle.ts'

/** What every segment digest of a table commits to before its first row. */
export type DigestHeader = {
  table_id: string
  encoding: 'native' | 'canonical'
  version: 1
  mode: 'ordered' | 'bucketed'
  columns: readonly { name: string; type: string }[]
  /** Columns left out of the rows because they are held to a tolerance. */
  tolerances?: readonly { column: string; kind: string; value: string }[]
}

/** int32 length, big-endian, and the header's RFC 8785 bytes. */
export function digestHeader(header: DigestHeader): Uint8Array {
  const body = canonicalBytes({
    table_id: header.table_id,
    encoding: header.encoding,
    version: header.version,
    mode: header.mode,
    columns: header.columns.map(({ name, type }) => ({ name, type })),
    // Absent, not empty, where there are none.
    ...(header.tolerances === undefined || header.tolerances.length === 0
      ? {}
      : { tolerances: header.tolerances.map(({ column, kind, value }) => ({ column, kind, value })) }),
  })
  const framed = new Uint8Array(4 + body.byteLength)
  new DataView(framed.buffer).setInt32(0, body.byteLength)
  framed.set(body, 4)
  return framed
}

/** A segment as a leaf of the table's Merkle tree: int32 index, int64 rows, 32 bytes of digest; 44 bytes, big-endian. */
export function segmentLeaf(index: number, rows: bigint, sha256: string): Uint8Array {
  return writeLeaf(Buffer.alloc(LEAF_BYTES), index, rows, sha256)
}

const LEAF_BYTES = 44

function writeLeaf(leaf: Buffer, index: number, rows: bigint, sha256: string): Buffer {
  leaf.writeInt32BE(index, 0)
  leaf.writeBigInt64BE(rows, 4)
  if (leaf.write(sha256, 12, 'hex') !== 32) throw new WaybillError('BAD_INPUT', 'a segment digest is 64 hexadecimal digits')
  return leaf
}

/** Root of one side in lower-case hex, from that side's figures in segment order. */
export function sideRoot(segments: Iterable<{ index: number; rows: bigint; sha256: string }>): string {
  return Buffer.from(merkleRoot(leavesOf(segments))).toString('hex')
}

function* leavesOf(segments: Iterable<{ index: number; rows: bigint; sha256: string }>): Generator<Uint8Array> {
  const leaf = Buffer.alloc(LEAF_BYTES)
  for (const { index, rows, sha256 } of segments) yield writeLeaf(leaf, index, rows, sha256)
}
