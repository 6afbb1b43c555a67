import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { WaybillError } from '../../layers/core/errors.ts'
import { ensureFolder } from '../folder.ts'

/** What a demo folder is, so that `resume` finds its server and databases again. Holds passwords of a throw-away server: mode 0600. */
const demoState = z.strictObject({
  schema: z.literal('waybill/demo/v1'),
  server: z.strictObject({ dataDir: z.string(), port: z.int(), password: z.string() }),
  sourceUrl: z.string(),
  targetUrl: z.string(),
  administratorUrl: z.string(),
  rows: z.int().nullable(),
  corrupt: z.int(),
  interactive: z.boolean(),
  projectId: z.string().nullable(),
  tampered: z
    .array(
      z.strictObject({
        what: z.enum(['changed', 'deleted', 'duplicated']),
        table: z.string(),
        row: z.record(z.string(), z.string().nullable()),
      }),
    )
    .nullable(),
  /** False until the legacy database is whole. */
  loaded: z.boolean(),
  finished: z.boolean(),
})
export type DemoState = z.infer<typeof demoState>

const FILE = 'demo.json'
const LOCK = 'waybill.lock'

export async function readDemo(folder: string): Promise<DemoState | null> {
  let text: string
  try {
    text = await readFile(join(folder, FILE), 'utf8')
  } catch {
    return null
  }
  const parsed = demoState.safeParse(JSON.parse(text))
  if (!parsed.success) throw new WaybillError('BAD_INPUT', `${join(folder, FILE)} is not a demo's state. Choose another folder with --out.`)
  return parsed.data
}

export async function writeDemo(folder: string, state: DemoState): Promise<void> {
  const path = join(folder, FILE)
  await writeFile(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

/** Everything a demo ever puts into its folder. Nothing else there is a demo's to remove. */
const OWN = [
  FILE,
  `${FILE}.new`,
  'home',
  'postgres',
  ...['outcome.json', 'recon_report.json', 'report.html', 'report.md', 'evidence_pack'].flatMap((name) => [name, `${name}.new`]),
]

/**
 * Makes sure that a new demo may use the folder: a finished demo is replaced, an unfinished one only with `fresh`, and what is not a demo's
 * is never touched. Returns the state of the demo that is to be replaced, whose server still has to be stopped.
 * @throws ALREADY_EXISTS, BAD_INPUT
 */
export async function claimFolder(out: string, fresh: boolean): Promise<DemoState | null> {
  const folder = resolve(out)
  await ensureFolder(folder)
  const old = await readDemo(folder)
  if (old === null) {
    if ((await readdir(folder)).some((name) => !name.startsWith(LOCK))) {
      throw new WaybillError(
        'ALREADY_EXISTS',
        `${folder} holds other files and is left as it is. Choose another folder: npm run demo -- --out DIR`,
      )
    }
  } else if (!old.loaded && !fresh) {
    throw new WaybillError(
      'ALREADY_EXISTS',
      `${folder} holds a demo that was stopped while it loaded its data. Start over: npm run demo -- --fresh`,
    )
  } else if (!old.finished && !fresh) {
    throw new WaybillError(
      'ALREADY_EXISTS',
      `${folder} holds a demo that did not finish. Go on with it: npm run waybill -- resume --out ${out}\nOr start over: npm run demo -- --fresh`,
    )
  }
  return old
}

/** Removes what an earlier demo put there, and only that. */
export async function removeDemo(out: string): Promise<void> {
  for (const name of OWN) await rm(join(resolve(out), name), { recursive: true, force: true })
}
