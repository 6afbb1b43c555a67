/**
 * Bundles what the stacks deploy into `cdk.out-staging/`, byte for byte the same from the same sources:
 *
 *   layer/nodejs/waybill/**   one module per file of `layers/` that functions import, plus `functions/aws.ts` and zod; shared code is split,
 *                             so that every class exists once (`instanceof WaybillError` holds across handler and adapter)
 *   functions/<name>/         a handler alone; what lies in the layer is imported from /opt/nodejs/waybill
 *   worker/                   all workers for the container image
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
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
/** Native code: in the worker image, never in the layer. */
const DUCKDB = '@duckdb/node-api'

const COMMON: BuildOptions = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  // CommonJS dependencies call `require` for Node's own modules, which ES modules lack.
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
  // `pg` tries it and does without.
  external: ['pg-native'],
  loader: { '.html': 'text', '.css': 'text' },
  legalComments: 'none',
  sourcemap: false,
  logLevel: 'silent',
}

/** Where an organisation puts the policy that its stacks deploy; without it, the one Waybill ships. `waybill policy check` reads it first. */
export const DEPLOYED_POLICY = join(ROOT, 'infra/policy.json')
export const SHIPPED_POLICY = join(ROOT, 'layers/core/rulebooks/policy.default.json')

/** Where the CAs of databases lie in the layer and in the image; node trusts them when NODE_EXTRA_CA_CERTS says so. */
const CERTIFICATES = 'certificates.pem'
export const LAYER_CERTIFICATES = `${LAYER_ROOT}/${CERTIFICATES}`
export const IMAGE_CERTIFICATES = `/worker/${CERTIFICATES}`

/** Builds everything, with the policy and the databases' CAs of the organisation where there are such. @throws Error naming every entry that is missing, or esbuild's errors */
export async function buildAll(
  staging: string = STAGING,
  policy: string = DEPLOYED_POLICY,
  certificates: string | null = null,
): Promise<void> {
  const missing = missingEntries()
  if (missing.length > 0) throw new Error(`Cannot bundle; these entries are missing: ${missing.join(', ')}`)

  rmSync(staging, { recursive: true, force: true })
  await Promise.all([
    buildLayer(join(staging, 'layer'), policy),
    buildWorkers(join(staging, 'worker'), policy),
    ...LAMBDA_FUNCTIONS.map((name) => buildFunction(name, join(staging, 'functions', name))),
  ])
  if (certificates === null) return
  for (const folder of ['layer/nodejs/waybill', 'worker']) copyFileSync(resolve(ROOT, certificates), join(staging, folder, CERTIFICATES))
}

/** Entries that should exist and do not. */
export function missingEntries(root: string = ROOT): string[] {
  return [
    ...LAMBDA_FUNCTIONS.map((name) => `functions/${name}/index.ts`),
    ...WORKERS.map((name) => `functions/${name}/worker.ts`),
    'functions/aws.ts',
  ].filter((path) => !existsSync(join(root, path)))
}

async function buildLayer(out: string, policy: string): Promise<void> {
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
    plugins: [withoutDuckDb, deployedPolicy(policy)],
  })
}

async function buildFunction(name: string, out: string): Promise<void> {
  await build({ ...COMMON, entryPoints: { index: `functions/${name}/index.ts` }, outdir: out, plugins: [layerImports] })
}

async function buildWorkers(out: string, policy: string): Promise<void> {
  await build({
    ...COMMON,
    entryPoints: {
      ...Object.fromEntries(WORKERS.map((name) => [name, `functions/${name}/worker.ts`])),
      healthy: 'infra/worker/healthy.ts',
    },
    outdir: out,
    external: ['pg-native', DUCKDB],
    splitting: true,
    keepNames: true,
    chunkNames: 'shared/[hash]',
    plugins: [deployedPolicy(policy)],
  })
  mkdirSync(out, { recursive: true })
  writeFileSync(join(out, 'package.json'), `${JSON.stringify({ name: 'waybill-worker', private: true, type: 'module' })}\n`)
}

/**
 * Puts the organisation's policy where the shipped one would be: it is part of the code that is deployed, so its bytes are in the digest of
 * every layer and image, and no variable can exchange it. It is parsed when it is loaded; one that is no policy lets nothing start.
 */
function deployedPolicy(policy: string): Plugin {
  return {
    name: 'deployed-policy',
    setup({ onResolve }) {
      onResolve({ filter: /\/policy\.default\.json$/ }, () => (existsSync(policy) ? { path: policy } : undefined))
    },
  }
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

/**
 * In Lambda, everything that the connectors import from DuckDB exists and refuses at first use, with a sentence instead of a missing module at start.
 * A name that is imported and not listed here fails the build.
 */
const withoutDuckDb: Plugin = {
  name: 'without-duckdb',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@duckdb\/node-api$/ }, () => ({ path: DUCKDB, namespace: 'without-duckdb' }))
    onLoad({ filter: /.*/, namespace: 'without-duckdb' }, () => ({
      resolveDir: ROOT,
      loader: 'ts',
      contents: `
        import { WaybillError } from './layers/core/errors.ts'
        const refuse = (): never => {
          throw new WaybillError('SPEC_INVALID', 'On AWS, files are read by workers only: PARQUET, CSV and JSON sources cannot be discovered yet. Use a POSTGRESQL source.')
        }
        const absent = (): never => new Proxy(function () {}, { get: refuse, apply: refuse, construct: refuse }) as never
        ${duckDbNames()
          .map((name) => `export const ${name} = absent()`)
          .join('\n')}
      `,
    }))
  },
}

/** What the connectors import from DuckDB. */
function duckDbNames(): string[] {
  const imported = typescriptIn('layers/connectors').flatMap((path) =>
    [...readFileSync(join(ROOT, path), 'utf8').matchAll(/import (?!type)\{([^}]*)\} from '@duckdb\/node-api'/g)].flatMap((match) =>
      match[1]!.split(','),
    ),
  )
  return [...new Set(imported.map((name) => name.trim()).filter((name) => name !== '' && !name.startsWith('type ')))].sort()
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
