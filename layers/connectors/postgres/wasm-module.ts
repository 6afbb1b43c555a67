/** Just enough of the WebAssembly binary format to write one module with one memory and one exported function. */

export const I32 = 0x7f
export const V128 = 0x7b

/** Unsigned or signed LEB128. */
export function leb(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (;;) {
    const byte = rest & 0x7f
    rest >>= 7
    if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) return [...bytes, byte]
    bytes.push(byte | 0x80)
  }
}

export function uleb(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  return [...bytes, rest]
}

/** Instructions are lists of bytes; nesting is concatenation. */
export type Code = readonly (number | Code)[]

const flat = (code: Code): number[] => {
  const bytes: number[] = []
  const walk = (part: Code) => {
    for (const item of part) {
      if (typeof item === 'number') bytes.push(item)
      else walk(item)
    }
  }
  walk(code)
  return bytes
}

const memarg = (offset: number): Code => [0, uleb(offset)]
const simd = (opcode: number, ...more: Code): Code => [0xfd, uleb(opcode), more]

export const get = (local: number): Code => [0x20, uleb(local)]
export const set = (local: number, value: Code): Code => [value, 0x21, uleb(local)]
export const i32 = {
  const: (value: number): Code => [0x41, leb(value)],
  load: (at: Code, offset = 0): Code => [at, 0x28, memarg(offset)],
  store: (at: Code, value: Code, offset = 0): Code => [at, value, 0x36, memarg(offset)],
  add: (a: Code, b: Code): Code => [a, b, 0x6a],
  sub: (a: Code, b: Code): Code => [a, b, 0x6b],
  and: (a: Code, b: Code): Code => [a, b, 0x71],
  or: (a: Code, b: Code): Code => [a, b, 0x72],
  shl: (a: Code, bits: number): Code => [a, i32.const(bits), 0x74],
  shru: (a: Code, bits: number): Code => [a, i32.const(bits), 0x76],
  ltu: (a: Code, b: Code): Code => [a, b, 0x49],
  gtu: (a: Code, b: Code): Code => [a, b, 0x4b],
}
/** `condition ? a : b`, both evaluated. */
export const select = (a: Code, b: Code, condition: Code): Code => [a, b, condition, 0x1b]
export const when = (condition: Code, then: Code, otherwise: Code = []): Code => [condition, 0x04, 0x40, then, 0x05, otherwise, 0x0b]
/** Runs `body` again and again while `condition` holds. */
export const whileDo = (condition: Code, body: Code): Code => [0x03, 0x40, condition, 0x04, 0x40, body, 0x0c, 1, 0x0b, 0x0b]

export const v128 = {
  load: (at: Code, offset = 0): Code => [at, simd(0x00, memarg(offset))],
  store: (at: Code, value: Code, offset = 0): Code => [at, value, simd(0x0b, memarg(offset))],
  /** Four equal 32-bit lanes. */
  splatConst: (value: number): Code => {
    const bytes = [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255]
    return simd(0x0c, ...bytes, ...bytes, ...bytes, ...bytes)
  },
  /** 32-bit lanes by number: 0–3 of `a`, 4–7 of `b`. */
  shuffle32: (a: Code, b: Code, lanes: readonly number[]): Code => [
    a,
    b,
    simd(0x0d, ...lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3])),
  ],
  /** Reverses the bytes of each 32-bit lane. */
  swapBytes: (a: Code): Code => [a, a, simd(0x0d, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12)],
  splat: (value: Code): Code => [value, simd(0x11)],
  replaceLane: (vector: Code, lane: number, value: Code): Code => [vector, value, simd(0x1c, lane)],
  and: (a: Code, b: Code): Code => [a, b, simd(0x4e)],
  or: (a: Code, b: Code): Code => [a, b, simd(0x50)],
  xor: (a: Code, b: Code): Code => [a, b, simd(0x51)],
  /** Bits of `a` where `mask` is one, of `b` elsewhere. */
  bitselect: (a: Code, b: Code, mask: Code): Code => [a, b, mask, simd(0x52)],
  gt: (a: Code, b: Code): Code => [a, b, simd(0x3b)],
  add: (a: Code, b: Code): Code => [a, b, simd(0xae)],
  shru: (a: Code, bits: number): Code => [a, i32.const(bits), simd(0xad)],
  rotr: (a: Code, bits: number): Code => v128.or([a, i32.const(bits), simd(0xad)], [a, i32.const(32 - bits), simd(0xab)]),
}

/** A module exporting `memory` (of `pages` × 64 KiB) and `run`, which takes `parameters` i32 and returns an i32. */
export function moduleBytes(
  pages: number,
  parameters: number,
  locals: readonly { type: number; count: number }[],
  body: Code,
): Uint8Array<ArrayBuffer> {
  const section = (id: number, content: readonly number[]) => [id, ...uleb(content.length), ...content]
  const name = (text: string) => [...uleb(text.length), ...Buffer.from(text)]
  const code = [...uleb(locals.length), ...locals.flatMap(({ type, count }) => [...uleb(count), type]), ...flat(body), 0x0b]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, ...uleb(parameters), ...new Array<number>(parameters).fill(I32), 1, I32]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...uleb(pages)]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('run'), 0, 0]),
    ...section(10, [1, ...uleb(code.length), ...code]),
  ])
}
