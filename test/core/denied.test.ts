import { writeFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LineFile } from '../../cli/compare/difference-file.ts'
import { reportFailure } from '../../cli/failure.ts'
import type { Terminal } from '../../cli/terminal.ts'
import { deniedAt } from '../../layers/core/denied.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { openHome } from '../../layers/local/home.ts'
import { waybill } from '../end-to-end/command.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-denied-'))
  await writeFile(join(folder, 'file'), '')
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const failed = (code: string, path?: string) => Object.assign(new Error(`${code}: no`), { code, ...(path === undefined ? {} : { path }) })

describe('what the file system refuses', () => {
  it.each(['EACCES', 'EPERM', 'EROFS'])('%s is a missing permission, and names the place', (code) => {
    expect(deniedAt(failed(code, '/home/ann/.waybill'))).toMatchObject({
      code: 'PERMISSION_DENIED',
      message: expect.stringContaining('/home/ann/.waybill'),
    })
    expect(deniedAt(failed(code), '/srv/home')).toMatchObject({ code: 'PERMISSION_DENIED', message: expect.stringContaining('/srv/home') })
  })

  it('leaves every other error as it is', () => {
    const own = new WaybillError('CONFLICT', 'x')
    for (const error of [failed('EIO', '/a'), failed('EACCES'), new Error('x'), own, 'x', null]) expect(deniedAt(error)).toBe(error)
  })

  it('is reported without a fault being claimed', () => {
    const said: string[] = []
    const terminal = { err: (text: string) => void said.push(text), paint: (_: unknown, text: string) => text } as unknown as Terminal
    expect(reportFailure(terminal, failed('EPERM', '/home/ann/.waybill'), false)).toBe(2)
    expect(said).toEqual([expect.stringMatching(/^error PERMISSION_DENIED: .*\/home\/ann\/\.waybill/)])
  })
})

describe('a full disk', () => {
  const said = (thrown: unknown) => {
    const lines: string[] = []
    const terminal = { err: (text: string) => void lines.push(text), paint: (_: unknown, text: string) => text } as unknown as Terminal
    expect(reportFailure(terminal, thrown, false)).toBe(2)
    return lines.join('\n')
  }
  const thrownBy = (work: () => void) => {
    try {
      work()
    } catch (error) {
      return error
    }
    return null
  }

  it('is one error that says what to do, whether a file or the records of a home met it', () => {
    const device = thrownBy(() => writeFileSync('/dev/full', 'x'))
    const records = thrownBy(() => {
      const db = new DatabaseSync(':memory:')
      db.exec('PRAGMA max_page_count = 2; CREATE TABLE a (b TEXT)')
      db.prepare('INSERT INTO a VALUES (?)').run('x'.repeat(100_000))
    })
    for (const thrown of [device, records, failed('EDQUOT', '/srv/home')]) {
      const words = said(thrown)
      expect(words).toMatch(/^error DISK_FULL: .*Make space, then .*waybill resume/)
      expect(words).not.toMatch(/UNEXPECTED|fault in Waybill/)
    }
    expect(said(failed('EDQUOT', '/srv/home'))).toContain('/srv/home')
    expect(said(records)).toContain("Waybill's home")
  })

  it('is named where a report or a list of differences cannot be written, instead of a permission', () => {
    const lines = new LineFile('/dev/full', '--differences')
    lines.add('{}')
    expect(() => lines.close()).toThrow(expect.objectContaining({ code: 'DISK_FULL', message: expect.stringContaining('/dev/full') }))
  })
})

describe('a home', () => {
  it('below a file, or in place of one, is wrong input', () => {
    for (const place of [join(folder, 'file'), join(folder, 'file', 'home')]) {
      expect(() => openHome(place), place).toThrow(
        expect.objectContaining({ code: 'BAD_INPUT', message: expect.stringContaining(join(folder, 'file')) }),
      )
    }
  })

  it('where nobody can make a folder is a missing permission', () => {
    expect(() => openHome('/proc/waybill/home')).toThrow(
      expect.objectContaining({ code: 'PERMISSION_DENIED', message: expect.stringContaining('/proc') }),
    )
  })

  it('is refused by the command in the same words', async () => {
    const { code, err } = await waybill(['status', '--home', join(folder, 'file', 'home')])
    expect(code).toBe(2)
    expect(err).not.toMatch(/UNEXPECTED|fault in Waybill/)
  })
})
