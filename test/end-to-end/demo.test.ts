import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyPack } from '../../layers/core/verifier/index.ts'
import { openPackFolder } from '../../layers/local/pack-folder.ts'
import { type Outcome, startWaybill, waybill } from './command.ts'

const exec = promisify(execFile)
const MINUTES = 60_000

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-e2e-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function json<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8')) as T
}

type Recon = {
  verdict: string
  tables: { table_id: string; source_rows: string; target_rows: string; source_root: string; target_root: string; verdict: string }[]
}
const rootsOf = async (out: string) =>
  (await json<Recon>(join(out, 'recon_report.json'))).tables.map((table) => [table.table_id, table.source_root, table.target_root])

async function filesUnder(root: string, prefix = ''): Promise<string[]> {
  const entries = await readdir(join(root, prefix), { withFileTypes: true })
  const nested = await Promise.all(
    entries.map((entry) => (entry.isDirectory() ? filesUnder(root, join(prefix, entry.name)) : [join(prefix, entry.name)])),
  )
  return nested.flat().sort()
}

describe('the demo', () => {
  let out: string
  let result: Outcome

  beforeAll(async () => {
    out = join(folder, 'out')
    result = await waybill(['demo', '--rows', '60000', '--out', out])
  }, 5 * MINUTES)

  it('ends well and says where everything is', () => {
    expect(result.code, result.err + result.out).toBe(0)
    for (const name of ['report.html', 'outcome.json', 'recon_report.json', 'evidence_pack']) expect(result.out).toContain(name)
  })

  it('proves every row of both tables', async () => {
    const recon = await json<Recon>(join(out, 'recon_report.json'))
    expect(recon.verdict).toBe('pass')
    const flights = recon.tables.find((table) => table.source_rows === '60000')!
    expect(flights).toMatchObject({ target_rows: '60000', verdict: 'pass' })
    expect(flights.source_root).toBe(flights.target_root)
    const outcome = await json<{ proof_certificate: { proof_formula_evaluation: { PROOF_VALID: boolean } } }>(join(out, 'outcome.json'))
    expect(outcome.proof_certificate.proof_formula_evaluation.PROOF_VALID).toBe(true)
  })

  it('finds the flights whose airport is out of scope, and says how many', () => {
    expect(result.out).toMatch(/orphan/i)
    expect(result.out).toMatch(/destination_iata.*\b[1-9][\d,]* rows/)
  })

  it('seals a pack that verifies', async () => {
    const verified = await waybill(['verify', join(out, 'evidence_pack')])
    expect(verified.code, verified.out).toBe(0)
  })

  it('seals a pack in which no change goes unnoticed: one byte in any file, a file more, a file less', async () => {
    const pack = join(out, 'evidence_pack')
    const files = await filesUnder(pack)
    expect(files.length).toBeGreaterThan(20)
    const copy = join(folder, 'altered')
    await cp(pack, copy, { recursive: true })
    const faults = async () => (await verifyPack(await openPackFolder(copy), {})).faults.join('\n')
    for (const file of files) {
      const path = join(copy, file)
      const bytes = await readFile(path)
      const altered = Buffer.from(bytes)
      const at = Math.floor(altered.length / 2)
      altered[at] = altered[at]! ^ 1
      await writeFile(path, altered)
      expect(await faults(), `one byte of ${file}`).toContain(file)
      await rm(path)
      expect(await faults(), `${file} removed`).toContain(file)
      await writeFile(path, bytes)
    }
    await writeFile(join(copy, 'recon', 'note.txt'), 'added')
    expect(await faults()).toContain('note.txt')
    const command = await waybill(['verify', copy])
    expect(command.code).toBe(1)
    expect(command.out).toContain('note.txt')
  }, 600_000)

  it('prints commands in VERIFY.md that work as they stand', async () => {
    const pack = join(out, 'evidence_pack')
    const text = await readFile(join(pack, 'VERIFY.md'), 'utf8')
    const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]!)
    expect(blocks.join('\n')).toMatch(/openssl dgst -sha256 -verify/)
    expect(blocks.join('\n')).toMatch(/sha256sum/)
    for (const block of blocks.filter((b) => !b.includes('waybill'))) {
      const ran = await exec('bash', ['-euo', 'pipefail', '-c', block], { cwd: pack })
      if (block.includes('openssl dgst')) expect(ran.stdout).toContain('Verified OK')
    }
  })

  it('replaces a finished demo, and leaves a folder that is not a demo alone', async () => {
    const other = await mkdtemp(join(folder, 'other-'))
    await writeFile(join(other, 'mine.txt'), 'mine')
    const file = join(other, 'mine.txt')
    expect((await waybill(['demo', '--rows', '1000', '--out', file])).code).toBe(2)
    expect(await readFile(file, 'utf8')).toBe('mine')
    const refused = await waybill(['demo', '--rows', '1000', '--out', other])
    expect(refused.code).toBe(2)
    expect(await readdir(other)).toEqual(['mine.txt'])
  })
})

describe('the demo with a corrupted target', () => {
  it(
    'names exactly the seven rows, is not valid, rolls back, and leaves the source as it was',
    async () => {
      const out = join(folder, 'corrupt')
      const result = await waybill(['demo', '--rows', '60000', '--corrupt', '7', '--out', out, '--keep-running'])
      try {
        expect(result.code, result.err + result.out).toBe(1)
        expect(result.out).toMatch(/7 of 7 tampered rows named, and no other/)
        const outcome = await json<{
          proof_certificate: { proof_formula_evaluation: { PROOF_VALID: boolean } }
          rollback_verdict: { rollback_decision: string }
        }>(join(out, 'outcome.json'))
        expect(outcome.proof_certificate.proof_formula_evaluation.PROOF_VALID).toBe(false)
        expect(outcome.rollback_verdict.rollback_decision).toBe('ROLLBACK')
        const state = await json<{ administratorUrl: string; sourceUrl: string }>(join(out, 'demo.json'))
        const target = new pg.Client({ connectionString: state.administratorUrl })
        await target.connect()
        const left = await target.query(`SELECT count(*)::int AS n FROM pg_tables WHERE schemaname = 'aviation'`)
        await target.end()
        expect(left.rows[0]).toEqual({ n: 0 })
        const source = new pg.Client({ connectionString: state.sourceUrl })
        await source.connect()
        const rows = await source.query('SELECT count(*)::int AS n FROM public.flights')
        await source.end()
        expect(rows.rows[0]).toEqual({ n: 60000 })
        expect((await waybill(['verify', join(out, 'evidence_pack')])).code).toBe(0)
      } finally {
        await waybill(['demo', '--stop', '--out', out])
      }
    },
    5 * MINUTES,
  )
})

/** One of two resumes at once must win, and the other must leave everything alone. The winner's result comes first. */
async function twoResumes(out: string): Promise<[Outcome, Outcome]> {
  const both = await Promise.all([waybill(['resume', '--out', out]), waybill(['resume', '--out', out])])
  const loser = both.findIndex(({ err }) => err.includes('Another waybill'))
  return loser === 0 ? [both[1], both[0]] : [both[0], both[1]]
}

describe('a demo that is killed', () => {
  const rows = '300000'
  let expected: unknown

  beforeAll(async () => {
    const out = join(folder, 'unbroken')
    const result = await waybill(['demo', '--rows', rows, '--out', out])
    expect(result.code, result.err + result.out).toBe(0)
    expected = await rootsOf(out)
  }, 5 * MINUTES)

  for (const moment of ['CopyChunk', 'HashSegments'] as const) {
    it(
      `in the middle of ${moment} resumes to the same proof, with no row copied twice and an unbroken audit chain`,
      async () => {
        const out = join(folder, `killed-${moment}`)
        const running = startWaybill(['demo', '--rows', rows, '--out', out])
        await running.saw(new RegExp(`${moment}.*rows`))
        running.child.kill('SIGKILL')
        await running.done
        const [resumed, second] = await twoResumes(out)
        expect(second.code, second.err).toBe(2)
        expect(second.err).toContain('Another waybill is working in')
        expect(resumed.code, resumed.err + resumed.out).toBe(0)
        expect(await rootsOf(out)).toEqual(expected)
        const report = await json<{ tables: { table_id: string; rows: string }[] }>(
          join(out, 'evidence_pack', 'recon', 'execution_report.json'),
        )
        expect(report.tables.map((table) => table.rows)).toContain(rows)
        const verified = await waybill(['verify', join(out, 'evidence_pack')])
        expect(verified.code, verified.out).toBe(0)
      },
      8 * MINUTES,
    )
  }
})
