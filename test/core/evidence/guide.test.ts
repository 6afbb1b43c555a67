import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PackFile } from '../../../layers/core/evidence/pack.ts'
import { verifyPack } from '../../../layers/core/verifier/index.ts'
import { openPackFolder } from '../../../layers/local/pack-folder.ts'
import { fixturePack } from '../../support/pack-fixture.ts'

const run = promisify(execFile)
let folder: string
let files: PackFile[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-pack-'))
  files = await fixturePack()
  for (const { path, bytes } of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), bytes)
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Lines of the `sh` blocks of VERIFY.md, exactly as printed. */
function commands(): string[] {
  const guide = Buffer.from(files.find(({ path }) => path === 'VERIFY.md')!.bytes).toString()
  return [...guide.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) => block!.trim().split('\n'))
}

describe('VERIFY.md', () => {
  it('has a line for every signature of the pack', () => {
    const envelopes = files.filter(({ path }) => path.endsWith('.dsse.json'))
    expect(commands().filter((line) => line.startsWith('openssl dgst'))).toHaveLength(envelopes.length)
  })

  it('holds commands that work as printed', async () => {
    for (const command of commands()) {
      const { stdout } = await run('sh', ['-c', command], { cwd: folder })
      if (command.startsWith('openssl')) expect(stdout.trim()).toBe('Verified OK')
      else if (command.startsWith('sha256sum')) expect(stdout).toBe('')
      else expect(stdout.trim()).toMatch(/^[0-9a-f]{64}$/)
    }
  })

  it('holds commands that fail when a file was changed', async () => {
    const path = join(folder, 'plan/migration_plan.json')
    const original = files.find((file) => file.path === 'plan/migration_plan.json')!.bytes
    await writeFile(path, Buffer.from(`${Buffer.from(original).toString()} `))
    try {
      await expect(run('sh', ['-c', commands()[0]!], { cwd: folder })).rejects.toMatchObject({ code: 1 })
    } finally {
      await writeFile(path, original)
    }
  })
})

describe('a pack in a folder', () => {
  it('verifies', async () => {
    expect((await verifyPack(await openPackFolder(folder))).faults).toEqual([])
  })

  it('is refused with a link in it, even to an unchanged copy', async () => {
    const target = join(folder, 'report.md')
    const outside = `${folder}-report.md`
    await writeFile(outside, files.find(({ path }) => path === 'report.md')!.bytes)
    await rm(target)
    await symlink(outside, target)
    try {
      const result = await verifyPack(await openPackFolder(folder))
      expect(result.verified).toBe(false)
      expect(result.faults).toContainEqual(expect.stringMatching(/^report\.md: is a link/))
    } finally {
      await rm(target)
      await rm(outside)
      await writeFile(target, files.find(({ path }) => path === 'report.md')!.bytes)
    }
  })

  it('is refused with an empty folder in it', async () => {
    await mkdir(join(folder, 'notes'))
    try {
      expect((await verifyPack(await openPackFolder(folder))).faults).toContainEqual(expect.stringMatching(/^notes: an empty folder/))
    } finally {
      await rm(join(folder, 'notes'), { recursive: true })
    }
  })

  it('is read nowhere else', async () => {
    const reader = await openPackFolder(folder)
    for (const path of ['../x', '/etc/passwd', 'plan/../../x', ''])
      await expect(reader.read(path)).rejects.toMatchObject({ code: 'EVIDENCE_INVALID' })
  })

  it('must exist', async () => {
    await expect(openPackFolder(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})
