import { spawn } from 'node:child_process'
import { chmod, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { getJson } from '../../layers/core/artifacts.ts'
import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import { planPredicate } from '../../layers/core/schemas/governance.ts'
import { outcome as outcomeSchema } from '../../layers/core/schemas/outcome.ts'
import { plan as planSchema } from '../../layers/core/schemas/plan.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { openPredicate, PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import { fileSigners } from '../../layers/local/signer.ts'
import { until } from '../functions/support/decisions.ts'
import { writeRecord } from '../functions/support/edited-record.ts'
import { PEOPLE } from '../functions/support/story.ts'
import { temporaryFolder } from '../local/temporary.ts'
import { withClient } from '../support/postgres.ts'
import { fingerprint, openShop, PROJECT, type Shop } from './support/shop.ts'

/**
 * People with one role each against the embedded platform with real databases: every time the target holds, table by table and row by row,
 * what it held before, the run ends with the right code, and the audit log says so. One migration, attacked again and again.
 */
const LONG = 120_000
let shop: Shop
let before: Record<string, string>

beforeAll(async () => {
  shop = await openShop()
  shop.held.add(PEOPLE.security)
  before = await fingerprint(shop.target.url)
  await shop.start()
  await until(async () => (await shop.linkFor(PEOPLE.security)) !== null)
}, LONG)
afterAll(() => shop?.close())

const project = () => shop.platform.ports.projects.get(PROJECT)

/** A worker as its operator starts it by hand, with the home and every secret. */
async function byHand(worker: string): Promise<{ code: number | null; last: { error: string; cause: string } }> {
  const { artifacts } = await project()
  const task = { worker, project_id: PROJECT, run_id: 'by-hand', items: artifacts.chunks ?? null, ids: [] }
  const child = spawn(process.execPath, [fileURLToPath(new URL('../../functions/local-worker.ts', import.meta.url))], {
    env: {
      ...shop.env,
      WAYBILL_HOME: shop.platform.home.folder,
      WAYBILL_PUBLIC_URL: 'http://127.0.0.1:1',
      WAYBILL_TASK: JSON.stringify(task),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let err = ''
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString()
  })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, last: JSON.parse(err.trim().split('\n').at(-1) ?? '{}') }
}

describe('an operator without the last approval', () => {
  it.each(['prepare-target', 'finish-target', 'roll-back-target'])('starts %s by hand', { timeout: LONG }, async (worker) => {
    const { code, last } = await byHand(worker)
    expect([code, last.error]).toEqual([1, 'PLAN_NOT_AUTHORISED'])
    expect(await fingerprint(shop.target.url)).toEqual(before)
    const refused = await shop.chain('WORK_REFUSED')
    expect(refused.at(-1)).toMatchObject({ actor: `waybill/${worker}`, details: { run_id: 'by-hand' } })
  })
})

/** Changes what the project's row names, as any function can that may change a project. */
function edit(change: (record: ProjectRecord) => ProjectRecord['artifacts']): Promise<() => Promise<void>> {
  return project().then(async (record) => {
    const { artifacts } = record
    await writeRecord(shop.platform.ports, { ...record, artifacts: change(record) })
    return async () => {
      const now = await project()
      await writeRecord(shop.platform.ports, { ...now, artifacts })
    }
  })
}

async function put(bytes: Uint8Array) {
  return shop.platform.ports.artifacts.put(`projects/${PROJECT}/forged/${Math.random().toString(36).slice(2)}.json`, bytes, {
    contentType: 'application/json',
    retainUntil: new Date(),
  })
}

async function planOfHome() {
  const { ports } = shop.platform
  return getJson(ports.artifacts, (await project()).artifacts.migration_plan!, planSchema)
}

/** The plan with salaries in place of items, in the author's own words. */
async function widened() {
  const plan = await planOfHome()
  const [table] = plan.tables
  return canonicalBytes({ ...plan, tables: [{ ...table!, source: { schema: 'public', name: 'salary' } }] })
}

type Attack = { what: string; says: RegExp; attack(): Promise<() => Promise<void>> }
const ATTACKS: Attack[] = [
  {
    what: 'takes the signed plan away',
    says: /signed|envelope|JSON/i,
    attack: () => edit(({ artifacts: { signed_plan: _, ...rest } }) => rest),
  },
  {
    what: 'puts another plan in its place',
    says: /altered/,
    attack: async () => {
      const pointer = await put(await widened())
      return edit(({ artifacts }) => ({ ...artifacts, migration_plan: pointer }))
    },
  },
  {
    what: 'changes the plan’s file where it lies',
    says: /./,
    attack: async () => {
      const pointer = (await project()).artifacts.migration_plan!
      const path = join(shop.platform.home.artifacts, pointer.uri.slice('artifact:'.length))
      const bytes = await readFile(path)
      await chmod(path, 0o600)
      await writeFile(path, await widened())
      return () => writeFile(path, bytes)
    },
  },
  {
    what: 'signs the plan anew with a key of their own',
    says: /trusted|signature|key/i,
    attack: async () => {
      const { ports } = shop.platform
      const { statement, predicate } = openPredicate(
        await ports.artifacts.get((await project()).artifacts.signed_plan!),
        ports.trust,
        'plan',
        planPredicate,
      )
      const subject = statement.subject.map(({ name, digest }) => ({ name, sha256: digest.sha256 }))
      const { folder, remove } = temporaryFolder()
      const forged = await signStatement(fileSigners({ folder }).plan, statementOf({ predicateType: PREDICATES.plan, subject, predicate }))
      remove()
      const pointer = await put(forged.bytes)
      return edit(({ artifacts }) => ({ ...artifacts, signed_plan: pointer }))
    },
  },
  {
    what: 'weakens the policy in the home after the approvals',
    says: /policy/,
    attack: async () => {
      const path = join(shop.platform.home.folder, 'policy.json')
      const weak = { ...defaultPolicy, approvals: { ...defaultPolicy.approvals, 'PLANNED->EXECUTED': ['data_owner'] } }
      await writeFile(path, JSON.stringify(weak))
      return () => rm(path)
    },
  },
  {
    what: 'takes an approval away',
    says: /approved/,
    attack: async () => {
      const { db } = shop.platform.home
      const [row] = db.prepare("SELECT * FROM artifacts WHERE key LIKE '%/approvals/%' LIMIT 1").all()
      db.prepare('DELETE FROM artifacts WHERE key = ?').run(row!.key!)
      return async () => {
        const names = Object.keys(row!)
        db.prepare(`INSERT INTO artifacts (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`).run(...Object.values(row!))
      }
    },
  },
]

describe('somebody with write access to the home, after every approval and before the first worker', () => {
  for (const [at, { what, says, attack }] of ATTACKS.entries()) {
    it(`${what}: nothing is written`, { timeout: LONG }, async () => {
      let undo = async () => {}
      shop.before = async (worker) => {
        if (worker !== 'prepare-target') return
        shop.before = async () => {}
        undo = await attack()
      }
      shop.held.clear()
      const { state, failure } = at === 0 ? await shop.end() : await shop.again()
      await undo()
      expect([state, failure?.code]).toEqual(['FAILED', 'PLAN_NOT_AUTHORISED'])
      expect(failure?.reason).toMatch(says)
      expect(await fingerprint(shop.target.url)).toEqual(before)
      const entries = await shop.chain('RUN_FAILED')
      expect(entries).toHaveLength(at + 1)
      expect(entries.at(-1)!.details).toMatchObject({ code: 'PLAN_NOT_AUTHORISED', from: 'PLANNED', to: 'FAILED' })
    })
  }
})

it('the owner of the target forges checkpoints: the rows that were never copied are missed, and nothing is called proven', {
  timeout: LONG,
}, async () => {
  let forged = 0
  shop.before = async (worker) => {
    if (worker !== 'copy-chunk') return
    shop.before = async () => {}
    const record = await project()
    const { ports } = shop.platform
    const lines = Buffer.from(await ports.artifacts.get(record.artifacts.chunks!))
      .toString('utf8')
      .trim()
      .split('\n')
    await withClient(shop.target.url, async (client) => {
      for (const line of lines) {
        const { chunk_id, step_id, table_id } = JSON.parse(line) as Record<string, string>
        const values = [record.artifacts.migration_plan!.sha256, chunk_id, step_id, table_id]
        await client.query(`INSERT INTO waybill.checkpoint VALUES ($1, $2, $3, $4, 0, NULL, 400, 1, now(), now())`, values)
        forged += 1
      }
    })
  }
  const record = await shop.again()
  // The barrier opened this time: what refused before was the attack.
  expect(forged).toBeGreaterThan(0)
  expect(record.state).toBe('ROLLED_BACK')
  const { proof_certificate } = await getJson(shop.platform.ports.artifacts, record.artifacts.outcome!, outcomeSchema)
  expect(proof_certificate.proof_status).toBe('INVALID')
  const { 'public.resident': resident } = await fingerprint(shop.target.url)
  expect(resident).toBe(before['public.resident'])
  expect(await fingerprint(shop.source.url)).toMatchObject({ 'public.item': expect.stringMatching(/^400 rows/) })
  expect(await shop.chain('TARGET_ROLLED_BACK')).not.toEqual([])
})
