import { lstat, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { projectIdOf } from '../../cli/run/project.ts'
import { writeResults } from '../../cli/run/results.ts'
import { parseStrictJson } from '../../layers/core/canonical-json.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { ENDPOINT_FUNCTIONS, TASK_FUNCTIONS, WORKERS } from '../../layers/core/names.ts'
import type { Ports } from '../../layers/core/ports.ts'
import { packManifest } from '../../layers/core/schemas/evidence.ts'
import type { projectRecord } from '../../layers/core/schemas/project.ts'
import { readSpec } from '../../layers/core/spec-reader.ts'
import { directoryArtifactStore } from '../../layers/local/artifact-store.ts'
import { systemClock } from '../../layers/local/clock.ts'
import { type TestPlatform, testPlatform } from '../functions/support/platform.ts'
import { specText, storeSpec } from '../functions/support/story.ts'
import { temporaryHomes } from '../local/temporary.ts'

const TRICKS = [
  '../x',
  '..',
  '/etc',
  'a/b',
  'a\\b',
  '.',
  '',
  ' ',
  'A',
  'a\u0000b',
  'a\nb',
  '__proto__',
  'ａ',
  'a'.repeat(81),
  'a'.repeat(1_000_000),
]

describe('names of projects and runs', () => {
  let on: TestPlatform
  beforeAll(async () => {
    on = await testPlatform()
    await storeSpec(on)
  })
  afterAll(() => on.close())

  const endpoints: readonly string[] = ENDPOINT_FUNCTIONS
  const tasks = TASK_FUNCTIONS.filter((name) => !endpoints.includes(name))
  const more = { task_token: 't', transition: 'PLANNED->EXECUTED', recon_run_id: 'r', purpose: 'reconcile' }

  it.each([...tasks, 'anchor-audit'])('that are paths, or too long, get nowhere in %s', async (name) => {
    const before = await on.ports.artifacts.list('')
    for (const project_id of TRICKS)
      await expect(on.call(name, { ...more, project_id, run_id: 'r' })).rejects.toMatchObject({ code: 'BAD_INPUT' })
    for (const event of [null, 'x', [], 1, {}, { project_id: { $ne: '' }, run_id: 'r' }, { project_id: ['x'], run_id: 'r' }])
      await expect(on.call(name, event)).rejects.toMatchObject({ code: 'BAD_INPUT' })
    expect(await on.ports.artifacts.list('')).toEqual(before)
    expect(await on.ports.projects.list()).toEqual({ records: [], unreadable: [] })
  })

  it.each(WORKERS)('nor in the worker %s', async (worker) => {
    const before = await on.ports.artifacts.list('')
    for (const trick of TRICKS) {
      const task = { worker, project_id: 'x', run_id: 'r', items: null, ids: [] }
      await expect(on.call(worker, { ...task, project_id: trick })).rejects.toMatchObject({ code: 'BAD_INPUT' })
      await expect(on.call(worker, { ...task, run_id: trick })).rejects.toMatchObject({ code: 'BAD_INPUT' })
      await expect(on.call(worker, { ...task, ids: [trick] })).rejects.toMatchObject({ code: 'BAD_INPUT' })
    }
    expect([on.systems.touched, on.systems.opened]).toEqual([[], []])
    expect(await on.ports.artifacts.list('')).toEqual(before)
  })

  it('a spec brings none in', () => {
    for (const trick of TRICKS.filter((each) => each !== 'A')) {
      const text = JSON.stringify({ ...JSON.parse(specText()), migration_id: trick })
      const refused = expect.objectContaining({ code: expect.stringMatching(/^(SPEC_INVALID|TOO_LARGE)$/) })
      expect(() => projectIdOf(readSpec(text).migration_id), JSON.stringify(trick).slice(0, 20)).toThrow(refused)
    }
  })
})

describe('documents', () => {
  it.each<[string, Uint8Array]>([
    ['a byte order mark', Buffer.from('\ufeff{}')],
    ['UTF-16', Buffer.from('{}', 'utf16le')],
    ['UTF-16 with its mark', Buffer.from('\ufeff{}', 'utf16le')],
    ['an overlong slash', Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
    ['half a character', Buffer.from([0x22, 0xe2, 0x82, 0x22])],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['two documents', Buffer.from('{} {}')],
    ['a NUL behind it', Buffer.from('{}\u0000')],
    ['nothing', Buffer.alloc(0)],
  ])('with %s are not read', (_what, bytes) => {
    expect(() => parseStrictJson(bytes)).toThrow()
  })
})

describe('the folder of the results, which somebody else may write to', () => {
  let homes: ReturnType<typeof temporaryHomes>
  beforeEach(() => {
    homes = temporaryHomes()
  })
  afterEach(() => homes.done())

  it('holds links where results will be: what they point to stays as it is', async () => {
    const { folder } = homes
    const artifacts = directoryArtifactStore({ folder: homes.first.artifacts, db: homes.first.db, clock: systemClock })
    const put = (key: string, text: string) => artifacts.put(key, Buffer.from(text), { contentType: 'text/plain', retainUntil: new Date() })
    const report_html = await put('projects/p/report_html/1.html', 'the report')
    const files = [{ path: 'plan/plan.json', sha256: sha256('the plan'), bytes: '8' }]
    const manifest = packManifest.parse({ schema: 'waybill/sha256-manifest/v1', project_id: 'p', files })
    await put('projects/p/evidence_pack/sha256_manifest.json', JSON.stringify(manifest))
    await put('projects/p/evidence_pack/plan/plan.json', 'the plan')
    const project = { project_id: 'p', artifacts: { report_html } } as unknown as ReturnType<typeof projectRecord.parse>
    const [out, victim] = [join(folder, 'out'), join(folder, 'victim')]
    await mkdir(join(victim, 'plan'), { recursive: true })
    await mkdir(out)
    for (const name of ['file', 'plan/plan.json']) await writeFile(join(victim, name), 'mine')
    await symlink(join(victim, 'file'), join(out, 'report.html'))
    await symlink(join(victim, 'file'), join(out, 'report.html.new'))
    await symlink(victim, join(out, 'evidence_pack.new'))
    await writeResults({ artifacts } as unknown as Ports, project, out)
    for (const name of ['file', 'plan/plan.json']) expect(await readFile(join(victim, name), 'utf8')).toBe('mine')
    expect((await readdir(victim)).sort()).toEqual(['file', 'plan'])
    expect((await lstat(join(out, 'report.html'))).isFile()).toBe(true)
    expect(await readFile(join(out, 'report.html'), 'utf8')).toBe('the report')
    expect((await lstat(join(out, 'evidence_pack'))).isDirectory()).toBe(true)
    expect(await readFile(join(out, 'evidence_pack/plan/plan.json'), 'utf8')).toBe('the plan')
  })

  it('holds an artifact that became a link: it is not the one that was recorded', async () => {
    const { folder } = homes
    const artifacts = directoryArtifactStore({ folder: homes.first.artifacts, db: homes.first.db, clock: systemClock })
    const pointer = await artifacts.put('projects/p/spec/1.json', Buffer.from('mine'), {
      contentType: 'text/plain',
      retainUntil: new Date(),
    })
    const path = join(homes.first.artifacts, 'projects/p/spec/1.json')
    await writeFile(join(folder, 'other'), 'theirs')
    await rename(path, join(folder, 'kept'))
    await symlink(join(folder, 'other'), path)
    await expect(artifacts.get(pointer)).rejects.toMatchObject({ code: 'EVIDENCE_INVALID' })
  })
})
