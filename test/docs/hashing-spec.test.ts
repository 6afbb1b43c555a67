import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BUILTIN_TYPES } from '../../layers/connectors/postgres/builtin-types.ts'
import { copyOut } from '../../layers/connectors/postgres/copy-stream.ts'
import { fieldTypes } from '../../layers/connectors/postgres/field-types.ts'
import { nativeColumn } from '../../layers/connectors/postgres/row-column.ts'
import { openSession, PINNED_SETTINGS, type Session } from '../../layers/connectors/postgres/session.ts'
import { canonicalType } from '../../layers/core/encoding/canonical-type.ts'
import { canonicalValue } from '../../layers/core/encoding/canonical-value.ts'
import { decodeFrame, encodeFrame } from '../../layers/core/encoding/row-frame.ts'
import { digestHeader, sideRoot } from '../../layers/core/encoding/segment-digest.ts'
import { hashingSpec } from '../../layers/core/rulebooks.ts'
import { root } from '../end-to-end/command.ts'
import { type FreshDatabase, freshDatabase } from '../support/postgres.ts'

const text = readFileSync(join(root, 'docs/hashing-spec.md'), 'utf8')
const [native = '', canonical = ''] = text.split('\n## Canonical')
const examples = [...text.matchAll(/```json\n([\s\S]*?)```/g)].map((match) => JSON.parse(match[1]!))
const exampleOf = (name: string) => examples.filter((one) => one.example === name)

/** Rows of three cells, all code, the last one in hexadecimal. */
const rowsOf = (part: string) =>
  [...part.matchAll(/^\| `([^`|]+)` +\| `([^`|]+)` +\| `([0-9a-f]+)` +\|$/gm)].map((match) => [match[1]!, match[2]!, match[3]!] as const)

/** A second implementation, by what the document says and nothing else. */
const second = {
  bytes: (hex: string) => Buffer.from(hex, 'hex'),
  sha256: (...parts: Uint8Array[]) => {
    const hash = createHash('sha256')
    for (const part of parts) hash.update(part)
    return hash.digest()
  },
  number: (size: 2 | 4 | 8, value: number | bigint) =>
    Buffer.from(
      BigInt.asUintN(size * 8, BigInt(value))
        .toString(16)
        .padStart(size * 2, '0'),
      'hex',
    ),
  frame(fields: readonly (string | null)[]) {
    const body = Buffer.concat([
      second.number(2, fields.length),
      ...fields.flatMap((field) => (field === null ? [second.number(4, -1)] : [second.number(4, field.length / 2), second.bytes(field)])),
    ])
    return Buffer.concat([Buffer.from([0x64]), second.number(4, body.length + 4), body])
  },
  header(mode: string) {
    const body = Buffer.from(exampleOf('header')[0].text.replace('"ordered"', JSON.stringify(mode)))
    return Buffer.concat([second.number(4, body.length), body])
  },
  root(parts: readonly { rows: number; sha256: Buffer }[]) {
    const head = (leaves: readonly Buffer[]): Buffer => {
      if (leaves.length === 0) return second.sha256()
      if (leaves.length === 1) return second.sha256(Buffer.from([0]), leaves[0]!)
      let split = 1
      while (split * 2 < leaves.length) split *= 2
      return second.sha256(Buffer.from([1]), head(leaves.slice(0, split)), head(leaves.slice(split)))
    }
    return head(parts.map(({ rows, sha256 }, index) => Buffer.concat([second.number(4, index), second.number(8, rows), sha256]))).toString(
      'hex',
    )
  },
}

describe('the examples of docs/hashing-spec.md', () => {
  it('are all there', () => {
    expect(examples.map((one) => one.example)).toEqual(['frame', 'frame', 'header', 'ordered', 'bucketed'])
    expect(rowsOf(native).length).toBe(22)
    expect(rowsOf(canonical).length).toBe(10)
  })
  it.each(exampleOf('frame'))('a frame: $fields', ({ fields, frame }: { fields: (string | null)[]; frame: string }) => {
    expect(second.frame(fields).toString('hex')).toBe(frame)
    const encoded = encodeFrame(fields.map((field) => (field === null ? null : second.bytes(field))))
    expect(Buffer.from(encoded).toString('hex')).toBe(frame)
  })
  it('the header', () => {
    const [{ header, length, text: body }] = exampleOf('header')
    const made = Buffer.from(digestHeader(header))
    expect([made.subarray(0, 4).toString('hex'), made.subarray(4).toString('utf8')]).toEqual([length, body])
    expect(made.equals(second.header('ordered'))).toBe(true)
  })
  it('segments in key order, and their root', () => {
    const [{ segments, sha256, root: stated }] = exampleOf('ordered') as [{ segments: string[][]; sha256: string[]; root: string }]
    const digests = segments.map((rows) => second.sha256(second.header('ordered'), ...rows.map(second.bytes)))
    expect(digests.map((digest) => digest.toString('hex'))).toEqual(sha256)
    expect(second.root(digests.map((digest, i) => ({ rows: segments[i]!.length, sha256: digest })))).toBe(stated)
    expect(sideRoot(sha256.map((digest, index) => ({ index, rows: BigInt(segments[index]!.length), sha256: digest })))).toBe(stated)
  })
  it('buckets with duplicates, and their root', () => {
    const [{ buckets, rows, sha256, root: stated }] = exampleOf('bucketed') as [
      { buckets: number; rows: string[]; sha256: string[]; root: string },
    ]
    const digests = rows.map((row) => second.sha256(second.bytes(row))).sort(Buffer.compare)
    const parts = Array.from({ length: buckets }, (_, index) => {
      const own = digests.filter((digest) => Math.floor((digest.readUInt32BE(0) * buckets) / 2 ** 32) === index)
      return { rows: own.length, sha256: second.sha256(second.header('bucketed'), ...own) }
    })
    expect(parts.map((part) => part.sha256.toString('hex'))).toEqual(sha256)
    expect(second.root(parts)).toBe(stated)
  })
  it.each(rowsOf(canonical))('canonical %s %s', (type, value, bytes) => {
    expect(Buffer.from(canonicalValue(canonicalType(type), value)).toString('hex')).toBe(bytes)
  })
})

describe('the values of docs/hashing-spec.md, as a server sends them', () => {
  let database: FreshDatabase
  let session: Session
  beforeAll(async () => {
    database = await freshDatabase()
    session = await openSession(database.url, { readOnly: false, connectTimeoutMs: 5000, statementTimeoutMs: 0 })
  })
  afterAll(async () => {
    await session.close()
    await database.drop()
  })
  it.each(rowsOf(native).map((row, i) => [...row, i] as const))('native %s %s', async (type, value, bytes, i) => {
    await session.run(`CREATE TABLE public.v${i} (v ${type}); INSERT INTO public.v${i} VALUES ('${value.replaceAll("'", "''")}')`)
    const [field] = await fieldTypes(session, ['"v"'], `public.v${i}`, 'source')
    const column = nativeColumn('v', { ...field!, sql: 'v' }, { ...field!, sql: 'v' })
    const sent: string[] = []
    for await (const chunk of copyOut(session, `SELECT ${column.source} FROM public.v${i}`, 'testing').chunks) {
      sent.push(Buffer.from(decodeFrame(chunk)[0]!).toString('hex'))
    }
    expect(sent).toEqual([bytes])
  })
})

describe('hashing_spec.json', () => {
  const named = (travels: string) => [...BUILTIN_TYPES.values()].filter((type) => type.travels === travels).map((type) => type.name)
  it('lists the types as the code treats them', () => {
    expect(hashingSpec.native_types.binary).toEqual(named('binary'))
    expect(hashingSpec.native_types.text).toEqual(named('text'))
    expect(Object.keys(hashingSpec.native_types.refused)).toEqual(named('refused'))
  })
  it('and the document names every one of them', () => {
    const unnamed = [...BUILTIN_TYPES.values()]
      .map((type) => type.name)
      .filter((name) => !text.includes(name) && !name.startsWith('pg_brin_'))
    expect(unnamed).toEqual([])
  })
  it('states the settings that every connection pins, and so does the document', () => {
    expect(hashingSpec.session).toEqual(PINNED_SETTINGS)
    for (const [name, value] of Object.entries(PINNED_SETTINGS)) expect(text).toMatch(new RegExp(`\`${name}\`\\s+${value}`))
  })
})
