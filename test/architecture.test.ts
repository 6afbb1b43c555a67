import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return sources(path)
    return entry.name.endsWith('.ts') ? [path] : []
  })
}

type Import = { from: string; to: string }

const IMPORT =
  /(?:import|export)\s+(?:type\s+)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|new URL\(\s*['"](\.[^'"]+\.ts)['"]/g

/** Imports as project paths (`layers/core/plan.ts`) or package names (`zod`, `node:fs`). */
function importsOf(path: string, text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
  return [...code.matchAll(IMPORT)].map((match) => {
    const specifier = (match[1] ?? match[2] ?? match[3])!
    return { from: path, to: specifier.startsWith('.') ? relative(root, normalize(join(root, dirname(path), specifier))) : specifier }
  })
}

const files = ['layers', 'functions', 'cli', 'infra'].flatMap(sources)
const imports = files.flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8')))
const ours = (to: string) => /^(layers|functions|cli|infra|test|bench)\//.test(to)
const inFolder = (path: string, ...folders: string[]) => folders.some((folder) => path === folder || path.startsWith(`${folder}/`))

/** Every import from files under `from` that points at our own code must satisfy `allowed`. */
function offenders(from: (path: string) => boolean, allowed: (to: string, from: string) => boolean): string[] {
  return imports.filter((i) => from(i.from) && ours(i.to) && !allowed(i.to, i.from)).map((i) => `${i.from} → ${i.to}`)
}

/** The sources with comments taken out: rules are about code, not about words in a docstring. */
function codeOf(file: string): string {
  return readFileSync(join(root, file), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
}

const isEntry = (path: string) => /^functions\/[^/]+\/(index|worker)\.ts$/.test(path)
const isRoot = (path: string) => /^functions\/[^/]+\.ts$/.test(path)

describe('who may import whom', () => {
  it('finds the sources it judges', () => {
    expect(files.length).toBeGreaterThan(50)
    expect(imports.length).toBeGreaterThan(200)
  })

  it('core stands on nothing of ours', () => {
    expect(
      offenders(
        (f) => inFolder(f, 'layers/core'),
        (to) => inFolder(to, 'layers/core'),
      ),
    ).toEqual([])
  })

  it('core does no I/O: only zod, yaml and the pure parts of node', () => {
    const allowed = new Set(['zod', 'yaml', 'node:crypto', 'node:util', 'node:path', 'node:buffer'])
    const found = imports.filter((i) => inFolder(i.from, 'layers/core') && !ours(i.to) && !allowed.has(i.to))
    expect(found).toEqual([])
  })

  it('core has no clock and no randomness', () => {
    const found = files.filter(
      (f) =>
        inFolder(f, 'layers/core') &&
        /\bDate\.now\(|new Date\(\)|Math\.random|randomBytes|randomUUID|performance\.now|process\./.test(codeOf(f)),
    )
    expect(found).toEqual([])
  })

  for (const layer of ['connectors', 'agents', 'aws', 'local', 'secret-stores', 'timestamp']) {
    it(`layers/${layer} stands on core only`, () => {
      expect(
        offenders(
          (f) => inFolder(f, `layers/${layer}`),
          (to) => inFolder(to, 'layers/core', `layers/${layer}`),
        ),
      ).toEqual([])
    })
  }

  it('handlers stand on core, agents and their own folder', () => {
    const handlers = (f: string) => inFolder(f, 'functions') && !isRoot(f) && !isEntry(f)
    expect(offenders(handlers, (to) => inFolder(to, 'layers/core', 'layers/agents') || (inFolder(to, 'functions') && !isRoot(to)))).toEqual(
      [],
    )
  })

  it('entries stand on their handler and the AWS composition root, in at most six lines', () => {
    expect(offenders(isEntry, (to, from) => to === 'functions/aws.ts' || to === `${dirname(from)}/handler.ts`)).toEqual([])
    const long = files.filter(isEntry).filter((f) => readFileSync(join(root, f), 'utf8').trimEnd().split('\n').length > 6)
    expect(long).toEqual([])
  })

  it('only the composition roots stand on a platform', () => {
    expect(
      offenders(
        (f) => !/^functions\/aws[^/]*\.ts$/.test(f) && !inFolder(f, 'layers/aws'),
        (to) => !inFolder(to, 'layers/aws'),
      ),
    ).toEqual([])
    const local = (f: string) => !/^functions\/local[^/]*\.ts$/.test(f) && !inFolder(f, 'layers/local')
    // The auditor's command reads a folder and nothing else: it must not load a composition root.
    const folderReader = 'layers/local/pack-folder.ts'
    expect(offenders(local, (to, from) => !inFolder(to, 'layers/local') || (inFolder(from, 'cli') && to === folderReader))).toEqual([])
  })

  it('infra knows names and paths, not code', () => {
    expect(
      offenders(
        (f) => inFolder(f, 'infra'),
        (to) => inFolder(to, 'infra') || to === 'layers/core/names.ts',
      ),
    ).toEqual([])
  })

  it('the AWS SDK and the environment are read only where AWS is meant', () => {
    const sdk = imports.filter((i) => i.to.startsWith('@aws-sdk/') && !inFolder(i.from, 'layers/aws'))
    expect(sdk).toEqual([])
    const environment = files.filter(
      (f) =>
        /process\.env\b/.test(codeOf(f)) && !inFolder(f, 'layers/aws', 'cli', 'infra') && !/^functions\/(aws|local-worker)\.ts$/.test(f),
    )
    expect(environment).toEqual([])
  })

  it('sees an import however it is written', () => {
    const text = `import a from './x.ts'\nimport type { B } from "../y.ts"\nexport * from './z.ts'\nconst c = await import('./w.ts')\n// import './no.ts'`
    expect(importsOf('layers/core/a.ts', text).map((i) => i.to)).toEqual([
      'layers/core/x.ts',
      'layers/y.ts',
      'layers/core/z.ts',
      'layers/core/w.ts',
    ])
  })
})

describe('house rules', () => {
  it('no platform switch: the composition root chooses', () => {
    const switches = files.filter((f) => /\bif\s*\(\s*!?\s*(is)?_?local\b/i.test(codeOf(f)))
    expect(switches).toEqual([])
  })

  it('no file is named after nothing', () => {
    expect(files.filter((f) => /(utils?|helpers?|manager|misc|common-stuff)\.ts$/.test(f))).toEqual([])
  })
})
