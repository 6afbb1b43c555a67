import { chmodSync, cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ROOT } from '../../../infra/build.ts'
import { configOf, type ImageConfig, type Stage, stagesOf } from './dockerfile.ts'

/** An image's files below `root`, and how it is run. `beneath`: folders of this machine that stand for the base image's, never written. */
export type Image = { root: string; config: ImageConfig; beneath: string[] }

export const DOCKERFILE = join(ROOT, 'infra/worker/Dockerfile')
const SYSTEM = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'etc']

/**
 * Carries out the COPY instructions of the last stage into `root`. The base image is this machine's system, looked at from inside a folder, with the pinned
 * Node; what the `native` stage fetches is what this checkout installed.
 */
export function assembleImage(root: string, staging: string): Image {
  const stages = stagesOf(readFileSync(DOCKERFILE, 'utf8'))
  const last = stages.at(-1)!
  const config = configOf(last)
  mkdirSync(join(root, config.workdir), { recursive: true })
  for (const { keyword, rest } of last.instructions) if (keyword === 'COPY') copy(rest, stages, staging, join(root, config.workdir))
  for (const folder of ['tmp', 'proc', 'dev']) mkdirSync(join(root, folder), { recursive: true })
  const beneath = SYSTEM.filter((name) => {
    const stat = lstatSync(`/${name}`, { throwIfNoEntry: false })
    if (stat?.isSymbolicLink()) symlinkSync(readlinkSync(`/${name}`), join(root, name))
    if (stat?.isDirectory()) mkdirSync(join(root, name))
    return stat?.isDirectory() === true
  })
  return { root, config, beneath }
}

/** `COPY --from=native --chmod=755 /native/out/node_modules ./node_modules` or `COPY --chmod=755 cdk.out-staging/worker/ ./` */
function copy(rest: string, stages: readonly Stage[], staging: string, workdir: string): void {
  const words = rest.split(/\s+/)
  const option = (name: string) => words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? null
  const [from, mode] = [option('from'), option('chmod')]
  const [source = '', target = ''] = words.filter((word) => !word.startsWith('--'))
  if (from !== null) {
    if (!stages.some(({ name }) => name === from)) throw new Error(`COPY from a stage that is not there: ${from}`)
    if (!source.endsWith('/node_modules')) throw new Error(`This reader does not know what ${from} holds in ${source}.`)
    installed(join(workdir, target))
    return
  }
  const [, below] = /^cdk\.out-staging\/(.*)$/.exec(source) ?? []
  const place = below === undefined ? join(ROOT, source) : join(staging, below)
  cpSync(place, join(workdir, target), { recursive: true })
  if (mode === null) return
  // As a builder does: on what was copied, folders and files alike.
  for (const each of readdirSync(place, { recursive: true, encoding: 'utf8' }))
    chmodSync(join(workdir, target, each), Number.parseInt(mode, 8))
}

/** DuckDB of this platform and everything it needs, as `npm install` of it gives. */
export function installed(folder: string): void {
  const wanted = ['@duckdb/node-api']
  for (const name of wanted) {
    const from = join(ROOT, 'node_modules', name)
    if (lstatSync(from, { throwIfNoEntry: false }) === undefined) continue
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    cpSync(from, join(folder, name), { recursive: true, dereference: true })
    const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8')) as Record<
      string,
      Record<string, string> | undefined
    >
    wanted.push(...Object.keys({ ...dependencies, ...optionalDependencies }).filter((each) => !wanted.includes(each)))
  }
}
