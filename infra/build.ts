/**
 * Bundles what the stacks deploy into `cdk.out-staging/`, byte for byte the same from the same sources:
 *
 *   layer/nodejs/waybill/**   one module per file of `layers/` that functions import, plus `functions/aws.ts` and zod; shared code is split,
 *                             so that every class exists once (`instanceof WaybillError` holds across handler and adapter)
 *   functions/<name>/         a handler alone; what lies in the layer is imported from /opt/nodejs/waybill
 *   worker/                   all workers for the container image
 */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import { ENDPOINT_FUNCTIONS, TASK_FUNCTIONS, WORKERS } from '../layers/core/names.ts'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))
export const STAGING = join(ROOT, 'cdk.out-staging')
export const LAMBDA_FUNCTIONS: readonly string[] = [...TASK_FUNCTIONS, ...ENDPOINT_FUNCTIONS]

/** Where Lambda unpacks the layer. */
const LAYER_ROOT = '/opt/nodejs/waybill'
const LAYER_FOLDERS = ['layers/core', 'layers/agents', 'layers/connectors', 'layers/aws']
/** Native parts are in the worker image only; a function that would load one says so instead of failing at start. */
const NATIVE = ['@duckdb/node-api', 'pg-native']

const COMMON: BuildOptions = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  // CommonJS dependencies call `require` for Node's own modules, which ES modules lack.
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
  external: NATIVE,
  loader: { '.html': 'text', '.css': 'text' },
  legalComments: 'none',
  sourcemap: false,
  logLevel: 'silent',
}

/** Builds everything. @throws Error naming every entry that is missing, or esbuild's errors */
export async function buildAll(staging: string = STAGING): Promise<void> {
  const missing = [
    ...LAMBDA_FUNCTIONS.map((name) => `functions/${name}/index.ts`),
    ...WORKERS.map((name) => `functions/${name}/worker.ts`),
    'functions/aws.ts',
  ].filter((path) => !existsSync(join(ROOT, path)))
  if (missing.length > 0) throw new Error(`Cannot bundle; these entries are missing: ${missing.join(', ')}`)

  rmSync(staging, { recursive: true, force: true })
  await Promise.all([
    buildLayer(join(staging, 'layer')),
    buildWorkers(join(staging, 'worker')),
    ...LAMBDA_FUNCTIONS.map((name) => buildFunction(name, join(staging, 'functions', name))),
  ])
}

async function buildLayer(out: string): Promise<void> {
  const entries = [...LAYER_FOLDERS.flatMap((folder) => typescriptIn(folder)), 'functions/aws.ts']
  await build({
    ...COMMON,
    entryPoints: { ...Object.fromEntries(entries.map((path) => [path.replace(/\.ts$/, ''), path])), 'vendor/zod': 'zod' },
    outdir: join(out, 'nodejs/waybill'),
    splitting: true,
    minifySyntax: true,
    minifyWhitespace: true,
    // Names stay: `error.name` and stack traces are read by people and by Retry rules.
    keepNames: true,
    chunkNames: 'shared/[hash]',
  })
}

async function buildFunction(name: string, out: string): Promise<void> {
  await build({ ...COMMON, entryPoints: { index: `functions/${name}/index.ts` }, outdir: out, plugins: [layerImports] })
}

async function buildWorkers(out: string): Promise<void> {
  await build({
    ...COMMON,
    entryPoints: Object.fromEntries(WORKERS.map((name) => [name, `functions/${name}/worker.ts`])),
    outdir: out,
    splitting: true,
    keepNames: true,
    chunkNames: 'shared/[hash]',
  })
  mkdirSync(out, { recursive: true })
  writeFileSync(join(out, 'package.json'), `${JSON.stringify({ name: 'waybill-worker', private: true, type: 'module' })}\n`)
}

/** Points imports of layer code, of the composition root and of zod at the layer's place in Lambda. */
const layerImports: Plugin = {
  name: 'layer-imports',
  setup({ onResolve }) {
    onResolve({ filter: /^zod$/ }, () => ({ path: `${LAYER_ROOT}/vendor/zod.mjs`, external: true }))
    onResolve({ filter: /^\.\.?\// }, ({ path, importer, resolveDir }) => {
      const inside = relative(ROOT, resolve(resolveDir || dirname(importer), path))
      const inLayer = inside === 'functions/aws.ts' || LAYER_FOLDERS.some((folder) => inside.startsWith(`${folder}/`))
      return inLayer && inside.endsWith('.ts') ? { path: `${LAYER_ROOT}/${inside.replace(/\.ts$/, '.mjs')}`, external: true } : undefined
    })
  },
}

function typescriptIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name}`)
    .filter((path) => path.endsWith('.ts') && statSync(join(ROOT, path)).isFile())
    .sort()
}

/** Bytes of all files below a folder. */
export function folderBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, stats) => sum + (stats.isFile() ? stats.size : 0), 0)
}

if (import.meta.main) await buildAll()
