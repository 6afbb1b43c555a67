import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jsonRecords } from '../../../layers/connectors/duckdb/json-records.ts'
import { openRelation, wholeOf } from '../../../layers/connectors/duckdb/relation.ts'
import { type DuckSession, openDuckDb } from '../../../layers/connectors/duckdb/session.ts'
import { isWaybillError } from '../../../layers/core/errors.ts'
import { type SourceFolder, sourceFolder } from './source-folder.ts'

let folder: SourceFolder
let duck: DuckSession
let made = 0

beforeAll(async () => {
  folder = await sourceFolder()
  duck = await openDuckDb(folder.path)
})
afterAll(async () => {
  await duck?.close()
  await folder?.remove()
})

async function written(text: string): Promise<string> {
  const name = `${++made}.json`
  await writeFile(join(folder.path, name), text)
  return name
}

/** Rows as our scan counts them; null where it refuses. */
async function counted(text: string): Promise<number | null> {
  try {
    return Number(await jsonRecords(join(folder.path, await written(text))))
  } catch (error) {
    if (isWaybillError(error) && error.code === 'NOT_REPRESENTABLE') return null
    throw error
  }
}

/** Elements of an array as JavaScript reads it; null where it does not. */
function parsed(text: string): number | null {
  try {
    return (JSON.parse(text) as unknown[]).length
  } catch {
    return null
  }
}

const spaced = fc.tuple(fc.json(), fc.constantFrom(0, 1, '\t', '\n ')).map(([text, by]) => JSON.stringify(JSON.parse(text), null, by))
const number = fc.stringMatching(/^-?[0-9]{1,3}(\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?$/)
const array = fc.array(fc.oneof(spaced, number), { maxLength: 5 }).map((each) => `[${each.join(' ,\r\n')}]`)

describe('a JSON file', () => {
  it('is read where JavaScript reads it, however it is broken, and has as many rows', async () => {
    const edit = fc.record({
      at: fc.nat(),
      out: fc.nat({ max: 2 }),
      put: fc.oneof(
        fc.constantFrom('', ',', ']', '[', '{', '}', '"', ':', '\\', '\\u00e', 'NaN', '-', '0', '.', 'e', ' ', '\u0000', '\u0007'),
      ),
    })
    await fc.assert(
      fc.asyncProperty(array, fc.array(edit, { maxLength: 2 }), async (text, edits) => {
        let broken = text
        for (const { at, out, put } of edits) {
          const place = at % (broken.length + 1)
          broken = broken.slice(0, place) + put + broken.slice(place + out)
        }
        fc.pre(/^\s*\[/.test(broken))
        expect(await counted(broken), broken).toBe(parsed(broken))
      }),
      { numRuns: 3000 },
    )
  })

  it('cut anywhere is refused, unless only blanks behind its array are missing', async () => {
    const text = '\ufeff[{"id": 1, "v": ["a\\u00e9", true]},\n {"id": -2.5e+3, "v": null}] \n'
    const bytes = Buffer.from(text)
    const whole = bytes.lastIndexOf(']') + 1
    for (let length = 0; length <= bytes.length; length++) {
      const path = join(folder.path, 'cut.json')
      await writeFile(path, bytes.subarray(0, length))
      const rows = await jsonRecords(path).catch(() => null)
      expect(rows, bytes.subarray(0, length).toString()).toBe(
        length >= whole ? 2n : length <= 3 && length !== 1 && length !== 2 ? 0n : null,
      )
    }
  })

  it.each([
    ['one a line', '{"a":1,"b":2}\n{"a":2}\n', 2],
    ['one behind the other', '{"a":1}{"a":2} {"a":\n3}', 3],
    ['in an array', '[{"a":1},{"a":[{"b":2}]}]', 2],
    ['none', ' \n', 0],
    ['none in an array', '[]', 0],
  ])('has its objects counted: %s', async (_how, text, rows) => {
    expect(await counted(text)).toBe(rows)
    if (rows === 0) return
    const relation = await openRelation(duck, folder.path, 'JSON', await written(text))
    expect(relation.records).toBe(BigInt(rows))
    const [read] = await duck.ask(`SELECT count(*)::VARCHAR AS n FROM ${wholeOf(relation)}`)
    expect(read?.n).toBe(String(rows))
  })

  it.each([
    ['ends behind a comma, as its writer died', '[{"id":1},\n{"id":2},', /ends before its array does, in line 2/],
    ['ends behind a comma and blanks', '[{"id":1}, \n \n', /ends before its array does, in line 3/],
    ['ends behind a row of its array', '[{"id":1}', /ends before its array does, in line 1/],
    ['ends inside a row', '{"id":1}\n{"id":', /ends inside a row, in line 2/],
    ['has a comma before the end of its array', '[{"id":1},]', /a comma too many, in line 1/],
    ['has a comma before the end of an object', '{"id":1,}', /a comma too many, in line 1/],
    ['has a comma before the end of a list', '{"id":[1,]}', /a comma too many, in line 1/],
    ['has NaN', '{"id":NaN}', /such as NaN/],
    ['has Infinity', '{"id":-Infinity}', /such as NaN/],
    ['has a number with a zero before it', '{"id":007}', /not written as JSON writes one/],
    ['goes on behind its array', '[{"id":1}]\n{"id":2}', /goes on behind the end of its array, in line 2/],
    ['has commas between objects, and no array', '{"id":1},\n{"id":2}', /where a value must begin/],
    ['is UTF-16', Buffer.from('{"id":1}', 'utf16le').toString('latin1'), /key must begin/],
    ['has ten thousand brackets', '['.repeat(10_001), /brackets open at once/],
  ])('is refused where it %s', async (_what, text, says) => {
    const refused = openRelation(duck, folder.path, 'JSON', await written(text))
    await expect(refused).rejects.toMatchObject({ code: 'NOT_REPRESENTABLE', message: expect.stringMatching(says) })
  })

  it('of many is refused if one is cut', async () => {
    await writeFile(join(folder.path, 'part-1.json'), '[{"id":1}]')
    await writeFile(join(folder.path, 'part-2.json'), '[{"id":2},')
    await expect(openRelation(duck, folder.path, 'JSON', 'part-*.json')).rejects.toMatchObject({ code: 'NOT_REPRESENTABLE' })
  })
})
