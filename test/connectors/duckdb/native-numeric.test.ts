import fc from 'fast-check'
import { expect, it } from 'vitest'
import { NUMERIC_BYTES, NumericWriter } from '../../../layers/connectors/duckdb/native-numeric.ts'
import { valueText } from '../../../layers/connectors/postgres/row-value.ts'

/** A scaled whole number as DuckDB holds it, and what is written for it. */
function written(width: number, scale: number, declared: number | null, value: bigint): Buffer {
  const memory = new DataView(new ArrayBuffer(3 * width))
  // Other rows beside it are not looked at.
  for (let i = 0; i < memory.byteLength; i++) memory.setUint8(i, 0xa5)
  let rest = BigInt.asUintN(width * 8, value)
  for (let i = 0; i < width; i++, rest >>= 8n) memory.setUint8(width + i, Number(rest & 255n))
  const out = new DataView(new ArrayBuffer(NUMERIC_BYTES + 8))
  const length = new NumericWriter(width, scale, declared).write(memory, 1, out, 8)
  return Buffer.from(out.buffer, 8, length)
}

/** The decimal as text, by moving the point in its digits. */
function decimal(value: bigint, scale: number): string {
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
  const [whole, fraction] = [digits.slice(0, digits.length - scale), digits.slice(digits.length - scale)]
  return `${value < 0n ? '-' : ''}${whole}${scale === 0 ? '' : `.${fraction}`}`
}

const least = (text: string) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text).replace(/^-0$/, '0')

const digitsOf = { 2: 4, 4: 9, 8: 18, 16: 38 } as const
const drawn = fc.constantFrom(2 as const, 4 as const, 8 as const, 16 as const).chain((width) => {
  const most = 10n ** BigInt(digitsOf[width]) - 1n
  const power = fc.nat(digitsOf[width] - 1).map((n) => 10n ** BigInt(n))
  const edge = fc.tuple(power, fc.constantFrom(-1n, 0n, 1n), fc.constantFrom(1n, -1n)).map(([p, more, sign]) => sign * (p + more))
  const whole = fc.constantFrom(2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n, 2n ** 96n).map((n) => n % (most + 1n))
  return fc.record({
    width: fc.constant(width),
    scale: fc.nat(digitsOf[width]),
    value: fc.oneof(fc.bigInt({ min: -most, max: most }), edge, whole, fc.bigInt({ min: -9999n, max: 9999n })),
    declared: fc.boolean(),
  })
})

it('writes every decimal that a file can hold exactly, and in one form only', () => {
  fc.assert(
    fc.property(drawn, ({ width, scale, value, declared }) => {
      const bytes = written(width, scale, declared ? scale : null, value)
      const text = decimal(value, scale)
      expect(valueText('numeric', bytes)).toBe(declared ? text : least(text))
      const count = bytes.readInt16BE(0)
      expect(bytes.byteLength).toBe(8 + 2 * count)
      if (count === 0) expect(bytes.subarray(0, 6).toString('hex')).toBe('000000000000')
      else expect([bytes.readUInt16BE(8), bytes.readUInt16BE(6 + 2 * count)]).not.toContain(0)
      for (let i = 0; i < count; i++) expect(bytes.readUInt16BE(8 + 2 * i)).toBeLessThan(10_000)
    }),
    { numRuns: 20_000 },
  )
})

it.each([
  [8, 4, 4, -123456789n, '0003000140000004000109291a85'],
  [8, 2, 2, 100n, '00010000000000020001'],
  [4, 2, null, 100n, '00010000000000000001'],
  [2, 1, null, -5n, '0001ffff400000011388'],
  [16, 38, 38, 1n, '0001fff6000000260064'],
  [8, 0, null, 9007199254740993n, '0004000300000000232f07c8156203e1'],
] as const)('of %i bytes at scale %i, declared %s: %s', (width, scale, declared, value, hex) => {
  expect(written(width, scale, declared, value).toString('hex')).toBe(hex)
})
