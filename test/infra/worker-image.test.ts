/** The worker image: its file tree by its own Dockerfile, run as a container engine would; and built for real where a builder is on the machine. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildAll, ROOT } from '../../infra/build.ts'
import { WORKERS } from '../../layers/core/names.ts'
import { canContain, runImage } from './image/container.ts'
import { configOf, stagesOf } from './image/dockerfile.ts'
import { assembleImage, DOCKERFILE, type Image, installed } from './image/image-tree.ts'

const folder = mkdtempSync(join(tmpdir(), 'waybill-image-'))
const staging = join(folder, 'staging')
const text = readFileSync(DOCKERFILE, 'utf8')

beforeAll(() => buildAll(staging), 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const lastLine = (of: string) => of.trim().split('\n').at(-1) ?? ''
const script = (code: string) => ['--input-type=module', '-e', code]

describe('the Dockerfile', () => {
  const stages = stagesOf(text)

  it('builds on bytes, not on a name, in every stage', () => {
    expect(stages).toHaveLength(2)
    for (const { base } of stages) expect(base).toMatch(/^node:24\.\d+\.\d+-bookworm-slim@sha256:[0-9a-f]{64}$/)
    expect(stagesOf(text, { NODE_IMAGE: 'mine@sha256:1' }).map(({ base }) => base)).toEqual(['mine@sha256:1', 'mine@sha256:1'])
  })

  it('builds on the very Node this project is tested with', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { devDependencies: { node: string } }
    expect(stages[0]!.base).toContain(`node:${devDependencies.node}-`)
  })

  it('runs nothing as root, writes nowhere but /tmp, and stops by SIGTERM', () => {
    expect(configOf(stages.at(-1)!)).toMatchObject({
      user: '1000:1000',
      volumes: ['/tmp'],
      stopSignal: 'SIGTERM',
      entrypoint: ['node'],
      healthCheck: ['node', 'healthy.mjs'],
    })
    // Whatever ran in the last stage would run as root and leave its traces in the image.
    expect(stages.at(-1)!.instructions.filter(({ keyword }) => keyword === 'RUN')).toEqual([])
  })

  it('lets user 1000 read what it copies, whatever umask the builder had', () => {
    const copies = stages.at(-1)!.instructions.filter(({ keyword }) => keyword === 'COPY')
    expect(copies).toHaveLength(2)
    for (const { rest } of copies) expect(rest).toContain('--chmod=755 ')
    const closed = mkdtempSync(join(folder, 'closed-'))
    mkdirSync(join(closed, 'worker/chunks'), { recursive: true, mode: 0o700 })
    writeFileSync(join(closed, 'worker/chunks/shared.mjs'), '', { mode: 0o600 })
    const { root, config } = assembleImage(mkdtempSync(join(folder, 'open-')), closed)
    for (const path of ['chunks', 'chunks/shared.mjs'])
      expect([path, statSync(join(root, config.workdir, path)).mode & 0o777]).toEqual([path, 0o755])
  })

  it('refuses a base that has no digest, and packages that are not those of the lock file', () => {
    const place = mkdtempSync(join(folder, 'native-'))
    for (const name of ['package-lock.json', 'infra/worker/native.mjs']) cpSync(join(ROOT, name), join(place, name.split('/').at(-1)!))
    const native = (...args: string[]) => spawnSync(process.execPath, ['native.mjs', ...args], { cwd: place, encoding: 'utf8' })
    expect(native('demand', 'node:24-bookworm-slim')).toMatchObject({ status: 1, stderr: expect.stringContaining('has no digest') })
    expect(native('demand', stages[0]!.base).status).toBe(0)
    const locked = JSON.parse(readFileSync(join(place, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { integrity?: string }>
    }
    const wanted = JSON.parse(readFileSync(join(place, 'out/package.json'), 'utf8')) as { dependencies: Record<string, string> }
    expect(Object.keys(wanted.dependencies)).toEqual(['@duckdb/node-api'])
    const fetched = (change: object) => {
      const path = 'node_modules/@duckdb/node-api'
      writeFileSync(
        join(place, 'out/package-lock.json'),
        JSON.stringify({ packages: { '': {}, [path]: { ...locked.packages[path], ...change } } }),
      )
      return native('compare').status
    }
    expect(fetched({})).toBe(0)
    expect(fetched({ integrity: 'sha512-other' })).toBe(1)
  })
})

/** What both the assembled and the built image must do. */
function runs(imageOf: () => Image): void {
  it('is nobody, cannot write, and finds a /tmp', async () => {
    const { ended } = runImage(imageOf(), {
      command: script(`
        import { writeFileSync } from 'node:fs'
        const tries = ['/worker/x', '/worker/copy-chunk.mjs', '/usr/x', '/x', '/tmp/x'].map((path) => {
          try { writeFileSync(path, ''); return path + ' written' } catch (error) { return path + ' ' + error.code }
        })
        const status = (await import('node:fs')).readFileSync('/proc/self/status', 'utf8')
        const of = (name) => new RegExp('^' + name + ':[ \\t]*(.*?) *$', 'm').exec(status)[1].trim()
        console.log(JSON.stringify({ ids: [process.getuid(), process.getgid()], groups: of('Groups'), rights: of('CapEff'), gains: of('NoNewPrivs'), tries, cwd: process.cwd(), node: process.version }))`),
    })
    const { stdout, stderr } = await ended
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual({
      ids: [1000, 1000],
      groups: '',
      rights: '0000000000000000',
      gains: '1',
      tries: ['/worker/x EROFS', '/worker/copy-chunk.mjs EROFS', '/usr/x EROFS', '/x EROFS', '/tmp/x written'],
      cwd: '/worker',
      node: process.version,
    })
  })

  it('has DuckDB, and DuckDB works without writing', async () => {
    const { ended } = runImage(imageOf(), {
      command: script(`
        import { DuckDBInstance } from '@duckdb/node-api'
        const connection = await (await DuckDBInstance.create(':memory:')).connect()
        console.log((await connection.runAndReadAll("SELECT sum(range)::VARCHAR FROM range(1001)")).getRows()[0][0])`),
    })
    expect(await ended).toMatchObject({ code: 0, stdout: '500500\n', stderr: '' })
  })

  it('starts every worker by its command, which then says in its last line what it lacks', async () => {
    for (const worker of WORKERS) {
      const { ended } = runImage(imageOf(), { command: [`${worker}.mjs`] })
      const { code, stderr } = await ended
      expect([worker, code, JSON.parse(lastLine(stderr))]).toEqual([worker, 1, expect.objectContaining({ error: 'PERMISSION_DENIED' })])
    }
  }, 60_000)

  it('is healthy only while a worker says that it is alive', async () => {
    const image = imageOf()
    const asked = (before: string) =>
      runImage(image, {
        command: script(`
          import { spawnSync } from 'node:child_process'
          import { utimesSync, writeFileSync } from 'node:fs'
          ${before}
          process.exit(spawnSync(process.execPath, ${JSON.stringify(image.config.healthCheck.slice(1))}).status)`),
      }).ended
    expect((await asked('')).code).toBe(1)
    expect((await asked("writeFileSync('/tmp/waybill-alive', '')")).code).toBe(0)
    expect(
      (await asked("writeFileSync('/tmp/waybill-alive', ''); utimesSync('/tmp/waybill-alive', 1, Date.now() / 1000 - 120)")).code,
    ).toBe(1)
  })
}

describe.skipIf(!canContain)('its file tree, run read-only and unprivileged (needs root on Linux)', () => {
  let image: Image
  beforeAll(() => {
    const root = join(folder, 'assembled')
    mkdirSync(`${root}.ro`)
    image = assembleImage(root, staging)
  })

  it('holds every worker, the health check and nothing of the project besides', () => {
    const { stdout } = spawnSync('ls', [join(image.root, 'worker')], { encoding: 'utf8' })
    const files = [...WORKERS.map((name) => `${name}.mjs`), 'healthy.mjs', 'node_modules', 'package.json', 'shared']
    expect(stdout.trim().split('\n').sort()).toEqual(files.sort())
  })

  runs(() => image)
})

const builder = spawnSync('buildah', ['--version'], { encoding: 'utf8' })
/** Under vfs and chroot, buildah needs neither a daemon nor a kernel module; as root it needs no user mapping either. */
const canBuild = canContain && builder.status === 0

describe.skipIf(!canBuild)('built by buildah (needs root on Linux and buildah on the machine)', () => {
  let image: Image
  const buildah = (...args: string[]) => {
    const result = spawnSync(
      'buildah',
      ['--root', join(folder, 'store'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs', ...args],
      {
        encoding: 'utf8',
      },
    )
    if (result.status !== 0) throw new Error(`buildah ${args[0]}: ${result.stderr}`)
    return result.stdout.trim()
  }

  /** A base of our own, for no registry is asked in a test: Node and the libraries it is linked with. */
  function base(): string {
    const place = join(folder, 'base')
    const libraries = spawnSync('ldd', [process.execPath], { encoding: 'utf8' }).stdout.match(/\/\S+\.so\S*/g) ?? []
    for (const [from, to] of [[process.execPath, '/usr/local/bin/node'], ...libraries.map((path) => [path, path])] as [string, string][]) {
      mkdirSync(dirname(join(place, to)), { recursive: true })
      copyFileSync(from, join(place, to))
    }
    for (const name of ['tmp', 'proc', 'dev']) mkdirSync(join(place, name))
    writeFileSync(join(place, 'Containerfile'), 'FROM scratch\nCOPY . /\nENV PATH=/usr/local/bin\n')
    buildah('build', '--isolation', 'chroot', '--layers=false', '-t', 'localhost/base', place)
    return `localhost/base@${buildah('inspect', '--type', 'image', '--format', '{{.FromImageDigest}}', 'localhost/base')}`
  }

  beforeAll(() => {
    const native = join(folder, 'native-stage')
    installed(join(native, 'native/out/node_modules'))
    const context = join(folder, 'context')
    for (const name of ['package.json', 'package-lock.json', 'infra/worker'])
      cpSync(join(ROOT, name), join(context, name), { recursive: true })
    cpSync(join(staging, 'worker'), join(context, 'cdk.out-staging/worker'), { recursive: true })
    const args = ['--build-arg', `NODE_IMAGE=${base()}`, '--build-context', `native=${native}`, '--format', 'docker']
    buildah(
      'build',
      '--isolation',
      'chroot',
      '--layers=false',
      ...args,
      '-f',
      join(context, 'infra/worker/Dockerfile'),
      '-t',
      'localhost/worker',
      context,
    )
    const root = buildah('mount', buildah('from', '--pull-never', 'localhost/worker'))
    const { Docker } = JSON.parse(buildah('inspect', '--type', 'image', 'localhost/worker')) as {
      Docker: {
        config: { Env: string[]; User: string; WorkingDir: string; Entrypoint: string[]; Volumes: object; Healthcheck: { Test: string[] } }
      }
    }
    const { Env, User, WorkingDir, Entrypoint, Volumes, Healthcheck } = Docker.config
    mkdirSync(`${root}.ro`)
    image = {
      root,
      beneath: [],
      config: {
        env: Object.fromEntries(Env.map((each) => each.split(/=(.*)/s)).map(([name, value]) => [name!, value!])),
        user: User,
        workdir: WorkingDir,
        entrypoint: Entrypoint,
        volumes: Object.keys(Volumes),
        stopSignal: 'SIGTERM',
        healthCheck: Healthcheck.Test.slice(1),
      },
    }
  }, 120_000)

  it('is run as the Dockerfile says', () => {
    const { env, ...said } = configOf(stagesOf(text).at(-1)!)
    expect(image.config).toMatchObject(said)
    expect(image.config.env).toMatchObject(env)
  })

  runs(() => image)
})
