import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readRequest } from '../../cli/run/request.ts'
import { openPackFolder } from '../../layers/local/pack-folder.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-folder-'))
  await mkdir(join(folder, 'a/b/c/d/e/f/g/h/i/j'), { recursive: true })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const run = (file: string) => readRequest(file, { approver: [] })

it('a folder around a pack is told which folder to give', async () => {
  await expect((await openPackFolder(folder)).list()).rejects.toMatchObject({
    code: 'EVIDENCE_INVALID',
    message: expect.stringMatching(/nested deeper than a pack has them\. Give the evidence_pack folder itself\.$/),
  })
})

it('a folder in place of a spec is called one, and nobody is told to write over it', async () => {
  await expect(run(folder)).rejects.toMatchObject({
    code: 'BAD_INPUT',
    message: expect.stringContaining('is a folder. Name the spec itself'),
  })
  await expect(run(folder)).rejects.not.toMatchObject({ message: expect.stringContaining('waybill init') })
})

it('where there is no spec it is said how to write one', async () => {
  const missing = join(folder, 'new.yaml')
  await expect(run(missing)).rejects.toMatchObject({ message: `There is no ${missing}. Write one with: waybill init ${missing}` })
})
