import { type Code, get, I32, i32, moduleBytes, select, set, V128, v128, when, whileDo } from './wasm-module.ts'

/**
 * SHA-256 (FIPS 180-4) of many short messages, four at a time in the lanes of SIMD registers, as a WebAssembly module that is written
 * out here. One call does a whole chunk: a call of OpenSSL for every short row would cost ten times the hashing itself.
 */

/** Where the caller puts frames; below lie the padding tables. Frames may be followed by 64 bytes of anything. */
export const INPUT = 4096
export const INPUT_BYTES = 256 * 1024
/** Digests, 32 bytes each; room for as many as there can be frames of 11 bytes, and three more. */
export const OUTPUT = INPUT + INPUT_BYTES + 128
const PAGES = Math.ceil((OUTPUT + (INPUT_BYTES / 11 + 4) * 32) / 65536)

/** 64 bytes of ones, then zeros: keeps the first bytes of a block. */
const KEEP = 0
/** 64 bytes of zeros, 0x80, zeros: the bit that ends a message. */
const END_BIT = 192
/** Four lanes × two blocks for the padded end of each message. The second block stays zero but for its last eight bytes. */
const TAIL = 512

const ROUND = Uint32Array.from(primes(64), (prime) => fraction(Math.cbrt(prime)))
const INITIAL = Uint32Array.from(primes(8), (prime) => fraction(Math.sqrt(prime)))

/** The first 32 bits of the fractional part. Doubles hold more than enough of them for primes this small. */
function fraction(root: number): number {
  return Math.floor((root - Math.floor(root)) * 2 ** 32)
}

function primes(count: number): number[] {
  const found: number[] = []
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n)
  return found
}

const LANES = [0, 1, 2, 3] as const

// Parameters and locals of the function, by number.
const NEXT = 0
const END = 1
const OUT = 2
const COUNT = 3
const MOST = 4
const BLOCK = 5
const REST = 6
const FROM = (lane: number) => 7 + lane
const LENGTH = (lane: number) => 11 + lane
const BLOCKS = (lane: number) => 15 + lane
const AT = (lane: number) => 19 + lane
const I32_LOCALS = 20
const STATE = (i: number) => 23 + i
const WORK = (i: number) => 31 + i
const WORD = (i: number) => 39 + (i & 15)
const T1 = 55
const T2 = 56
const MASK = 57
const V = (i: number) => 58 + i
const V128_LOCALS = 39

function swap32(value: Code): Code {
  return i32.or(
    i32.or(i32.shl(value, 24), i32.shl(i32.and(value, i32.const(0xff00)), 8)),
    i32.or(i32.and(i32.shru(value, 8), i32.const(0xff00)), i32.shru(value, 24)),
  )
}

/** Takes the next frame into a lane, or none; writes the padded end of its message. */
function takeFrame(lane: number): Code {
  const tail = TAIL + 128 * lane
  const end = i32.add(get(FROM(lane)), i32.sub(get(LENGTH(lane)), get(REST)))
  const bits = swap32(i32.shl(get(LENGTH(lane)), 3))
  return [
    set(FROM(lane), get(NEXT)),
    when(
      i32.ltu(get(NEXT), get(END)),
      [
        set(REST, i32.load(get(NEXT), 1)),
        set(LENGTH(lane), i32.add(swap32(get(REST)), i32.const(1))),
        set(NEXT, i32.add(get(NEXT), get(LENGTH(lane)))),
        set(BLOCKS(lane), i32.shru(i32.add(get(LENGTH(lane)), i32.const(72)), 6)),
        set(COUNT, i32.add(get(COUNT), i32.const(1))),
        set(REST, i32.and(get(LENGTH(lane)), i32.const(63))),
        [0, 16, 32, 48].map((offset) =>
          v128.store(
            i32.const(tail),
            v128.or(
              v128.and(v128.load(end, offset), v128.load(i32.sub(i32.const(KEEP + 64), get(REST)), offset)),
              v128.load(i32.sub(i32.const(END_BIT + 64), get(REST)), offset),
            ),
            offset,
          ),
        ),
        when(i32.ltu(get(REST), i32.const(56)), i32.store(i32.const(tail), bits, 60), i32.store(i32.const(tail), bits, 124)),
      ],
      [set(LENGTH(lane), i32.const(0)), set(BLOCKS(lane), i32.const(0))],
    ),
  ]
}

/** Where block number BLOCK of a lane lies: in the frame itself, or in its padded end. */
function blockAddress(lane: number): Code {
  const whole = i32.shru(get(LENGTH(lane)), 6)
  const tail = i32.add(i32.const(TAIL + 128 * lane), i32.shl(i32.sub(get(BLOCK), whole), 6))
  const address = select(i32.add(get(FROM(lane)), i32.shl(get(BLOCK), 6)), tail, i32.ltu(get(BLOCK), whole))
  // A lane that is done reads its tail again, and the result is thrown away.
  return set(AT(lane), select(address, i32.const(TAIL + 128 * lane), i32.ltu(get(BLOCK), get(BLOCKS(lane)))))
}

/** Four vectors of four words, rows to columns: `from(i)` is read, `to(i)` written. Uses V(0…3). */
function transpose(from: (i: number) => Code, to: (i: number, value: Code) => Code): Code {
  return [
    set(V(0), v128.shuffle32(from(0), from(1), [0, 4, 1, 5])),
    set(V(1), v128.shuffle32(from(0), from(1), [2, 6, 3, 7])),
    set(V(2), v128.shuffle32(from(2), from(3), [0, 4, 1, 5])),
    set(V(3), v128.shuffle32(from(2), from(3), [2, 6, 3, 7])),
    to(0, v128.shuffle32(get(V(0)), get(V(2)), [0, 1, 4, 5])),
    to(1, v128.shuffle32(get(V(0)), get(V(2)), [2, 3, 6, 7])),
    to(2, v128.shuffle32(get(V(1)), get(V(3)), [0, 1, 4, 5])),
    to(3, v128.shuffle32(get(V(1)), get(V(3)), [2, 3, 6, 7])),
  ]
}

function loadWords(): Code {
  return [0, 4, 8, 12].map((first) =>
    transpose(
      (lane) => v128.load(get(AT(lane)), 4 * first),
      (i, value) => [set(WORD(first + i), value), set(WORD(first + i), v128.swapBytes(get(WORD(first + i))))],
    ),
  )
}

const xor3 = (a: Code, b: Code, c: Code) => v128.xor(v128.xor(a, b), c)

function rounds(): Code {
  return Array.from({ length: 64 }, (_, t) => {
    const register = (i: number) => WORK((i - t + 64) & 7)
    const [a, b, c, d, e, f, g, h] = LETTERS.map(register) as [number, number, number, number, number, number, number, number]
    const schedule =
      t < 16
        ? []
        : set(
            WORD(t),
            v128.add(
              v128.add(get(WORD(t)), get(WORD(t + 9))),
              v128.add(
                xor3(v128.rotr(get(WORD(t + 1)), 7), v128.rotr(get(WORD(t + 1)), 18), v128.shru(get(WORD(t + 1)), 3)),
                xor3(v128.rotr(get(WORD(t + 14)), 17), v128.rotr(get(WORD(t + 14)), 19), v128.shru(get(WORD(t + 14)), 10)),
              ),
            ),
          )
    return [
      schedule,
      set(
        T1,
        v128.add(
          v128.add(get(h), v128.add(get(WORD(t)), v128.splatConst(ROUND[t]!))),
          v128.add(xor3(v128.rotr(get(e), 6), v128.rotr(get(e), 11), v128.rotr(get(e), 25)), v128.bitselect(get(f), get(g), get(e))),
        ),
      ),
      set(
        T2,
        v128.add(
          xor3(v128.rotr(get(a), 2), v128.rotr(get(a), 13), v128.rotr(get(a), 22)),
          v128.bitselect(get(c), get(b), v128.xor(get(a), get(b))),
        ),
      ),
      set(d, v128.add(get(d), get(T1))),
      set(h, v128.add(get(T1), get(T2))),
    ]
  })
}
const LETTERS = [0, 1, 2, 3, 4, 5, 6, 7] as const

function body(): Code {
  const maximum = (a: Code, b: Code) => select(a, b, i32.gtu(a, b))
  return [
    whileDo(i32.ltu(get(NEXT), get(END)), [
      LANES.map(takeFrame),
      set(MOST, maximum(maximum(get(BLOCKS(0)), get(BLOCKS(1))), maximum(get(BLOCKS(2)), get(BLOCKS(3))))),
      LETTERS.map((i) => set(STATE(i), v128.splatConst(INITIAL[i]!))),
      set(BLOCK, i32.const(0)),
      whileDo(i32.ltu(get(BLOCK), get(MOST)), [
        LANES.map(blockAddress),
        loadWords(),
        LETTERS.map((i) => set(WORK(i), get(STATE(i)))),
        rounds(),
        set(MASK, v128.splat(get(BLOCKS(0)))),
        [1, 2, 3].map((lane) => set(MASK, v128.replaceLane(get(MASK), lane, get(BLOCKS(lane))))),
        set(MASK, v128.gt(get(MASK), v128.splat(get(BLOCK)))),
        LETTERS.map((i) => set(STATE(i), v128.bitselect(v128.add(get(STATE(i)), get(WORK(i))), get(STATE(i)), get(MASK)))),
        set(BLOCK, i32.add(get(BLOCK), i32.const(1))),
      ]),
      [0, 4].map((first) =>
        transpose(
          (i) => get(STATE(first + i)),
          (lane, value) => [set(T1, value), v128.store(get(OUT), v128.swapBytes(get(T1)), 32 * lane + 4 * first)],
        ),
      ),
      set(OUT, i32.add(get(OUT), i32.const(128))),
    ]),
    get(COUNT),
  ]
}

type Exports = { memory: { buffer: ArrayBuffer }; run: (from: number, end: number, out: number) => number }
/** The global as far as it is used here: the type checker knows it only together with a browser. */
const runtime = (globalThis as unknown as { WebAssembly: unknown }).WebAssembly as {
  validate(bytes: Uint8Array): boolean
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object) => { exports: Exports }
}

export type LaneHasher = {
  memory: Buffer
  /** Digests the frames from INPUT up to `end` into OUTPUT; returns how many. */
  run(end: number): number
}

/** Made once: writing and compiling the module costs as much as comparing a small table. Null where WebAssembly has no SIMD. */
let compiled: object | null | undefined

function compiledModule(): object | null {
  const bytes = moduleBytes(
    PAGES,
    3,
    [
      { type: I32, count: I32_LOCALS },
      { type: V128, count: V128_LOCALS },
    ],
    body(),
  )
  return runtime.validate(bytes) ? new runtime.Module(bytes) : null
}

/** A hasher of its own memory. Null where WebAssembly has no SIMD. */
export function laneHasher(): LaneHasher | null {
  if (compiled === undefined) compiled = compiledModule()
  if (compiled === null) return null
  const { memory, run } = new runtime.Instance(compiled).exports
  const view = Buffer.from(memory.buffer)
  view.fill(0xff, KEEP, KEEP + 64)
  view[END_BIT + 64] = 0x80
  return { memory: view, run: (end) => run(INPUT, end, OUTPUT) }
}
