import type { PackFile } from '../../../layers/core/evidence/pack.ts'
import { memoryReader, verifyPack } from '../../../layers/core/verifier/index.ts'

/** A small generator with a seed, so that a mutation that was accepted can be made again. */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

type Mutation = { what: string; files: PackFile[] }
type Mutate = (pack: readonly PackFile[], below: (limit: number) => number) => Mutation | null

const withBytes = (pack: readonly PackFile[], at: number, bytes: Uint8Array): PackFile[] =>
  pack.map((file, index) => (index === at ? { path: file.path, bytes } : file))

const flipBit: Mutate = (pack, below) => {
  const at = below(pack.length)
  const { path, bytes } = pack[at]!
  if (bytes.length === 0) return null
  const [index, bit] = [below(bytes.length), below(8)]
  const changed = Uint8Array.from(bytes)
  changed[index]! ^= 1 << bit
  return { what: `bit ${bit} of byte ${index} of ${path} flipped`, files: withBytes(pack, at, changed) }
}

const insertByte: Mutate = (pack, below) => {
  const at = below(pack.length)
  const { path, bytes } = pack[at]!
  const [index, byte] = [below(bytes.length + 1), below(256)]
  const changed = Buffer.concat([bytes.subarray(0, index), Buffer.of(byte), bytes.subarray(index)])
  return { what: `byte ${byte} inserted at ${index} of ${path}`, files: withBytes(pack, at, changed) }
}

const deleteBytes: Mutate = (pack, below) => {
  const at = below(pack.length)
  const { path, bytes } = pack[at]!
  if (bytes.length === 0) return null
  const index = below(bytes.length)
  const count = 1 + below(Math.min(16, bytes.length - index))
  const changed = Buffer.concat([bytes.subarray(0, index), bytes.subarray(index + count)])
  return { what: `${count} bytes deleted at ${index} of ${path}`, files: withBytes(pack, at, changed) }
}

const swapContents: Mutate = (pack, below) => {
  const [one, other] = [below(pack.length), below(pack.length)]
  const [a, b] = [pack[one]!, pack[other]!]
  if (Buffer.from(a.bytes).equals(b.bytes)) return null
  return { what: `${a.path} and ${b.path} swapped`, files: withBytes(withBytes(pack, one, b.bytes), other, a.bytes) }
}

const dropFile: Mutate = (pack, below) => {
  const at = below(pack.length)
  return { what: `${pack[at]!.path} removed`, files: pack.filter((_, index) => index !== at) }
}

/** A copy of a file under a name beside it: what a second manifest, approval or anchor would look like. */
const addCopy: Mutate = (pack, below) => {
  const { path, bytes } = pack[below(pack.length)]!
  const name = path.replace(/(\.[^./]+)?$/, `-${below(1000)}$1`)
  return { what: `${path} copied to ${name}`, files: [...pack, { path: name, bytes }] }
}

// Flips are the subtlest and most of what chance does.
const MUTATIONS: readonly Mutate[] = [flipBit, flipBit, flipBit, insertByte, deleteBytes, swapContents, dropFile, addCopy]

async function acceptsPack(files: readonly PackFile[]): Promise<boolean> {
  const { verified, faults } = await verifyPack(memoryReader(files))
  return verified || faults.length === 0
}

/** Mutates a good pack `count` times, each time once, and gives what the verifier accepted nevertheless, and what it threw on. */
export async function survivors(
  pack: readonly PackFile[],
  seed: number,
  count: number,
  accepts: (files: readonly PackFile[]) => Promise<boolean> = acceptsPack,
): Promise<string[]> {
  const below = seeded(seed)
  const accepted: string[] = []
  for (let made = 0; made < count; ) {
    const mutation = MUTATIONS[below(MUTATIONS.length)]!(pack, below)
    if (mutation === null) continue
    made += 1
    try {
      if (await accepts(mutation.files)) accepted.push(mutation.what)
    } catch (error) {
      accepted.push(`${mutation.what}: threw ${error}`)
    }
  }
  return accepted
}
