import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildAll, folderBytes, LAMBDA_FUNCTIONS, missingEntries, ROOT } from '../../infra/build.ts'
import { WORKERS } from '../../layers/core/names.ts'
import { ORGANISATION } from './synth.ts'

const MiB = 1024 * 1024
const folder = mkdtempSync(join(tmpdir(), 'waybill-bundles-'))
const staging = join(folder, 'first')

beforeAll(() => buildAll(staging), 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a script on this Node; imports from /opt/nodejs go to the staged layer, as in Lambda. */
function run(script: string, env: Record<string, string> = {}): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const file = join(folder, `run-${createHash('sha256').update(script).digest('hex').slice(0, 12)}.mjs`)
  writeFileSync(
    file,
    `import { registerHooks } from 'node:module'
     import { pathToFileURL } from 'node:url'
     registerHooks({ resolve: (specifier, context, next) => {
       if (specifier.startsWith('/opt/nodejs/')) return next(pathToFileURL(${JSON.stringify(join(staging, 'layer'))} + specifier.slice(4)).href, context)
       // The worker image installs DuckDB beside the bundles; here it is the project's own. Lambda has none.
       if (specifier === '@duckdb/node-api' && context.parentURL?.includes('/worker/')) return next(specifier, { ...context, parentURL: pathToFileURL(${JSON.stringify(join(ROOT, 'package.json'))}).href })
       return next(specifier, context)
     } })
     ${script}`,
  )
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [file],
      { env: { PATH: process.env.PATH ?? '', AWS_REGION: 'eu-central-1', ...env } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : ((error as { code?: number }).code ?? null), stdout, stderr }),
    )
  })
}

describe('bundles', () => {
  it('exist for every function and worker, and the build names what is missing', () => {
    expect(readdirSync(join(staging, 'functions')).sort()).toEqual([...LAMBDA_FUNCTIONS].sort())
    for (const worker of WORKERS) expect(statSync(join(staging, 'worker', `${worker}.mjs`)).isFile()).toBe(true)
    expect(missingEntries()).toEqual([])
    const empty = join(folder, 'empty')
    mkdirSync(join(empty, 'functions/discover'), { recursive: true })
    writeFileSync(join(empty, 'functions/discover/index.ts'), '')
    const missing = missingEntries(empty)
    expect(missing).toHaveLength(LAMBDA_FUNCTIONS.length + WORKERS.length)
    expect(missing).not.toContain('functions/discover/index.ts')
    expect(missing).toContain('functions/copy-chunk/worker.ts')
  })

  it('hold the policy that an organisation puts there, in the layer and in the workers', {
    timeout: 60_000,
  }, async () => {
    const policy = join(folder, 'policy.json')
    const shipped = JSON.parse(readFileSync(join(ROOT, 'layers/core/rulebooks/policy.default.json'), 'utf8'))
    writeFileSync(policy, JSON.stringify({ ...shipped, version: 'of-our-organisation' }))
    const ours = join(folder, 'ours')
    await buildAll(ours, policy)
    const holding = (staged: string, text: string) =>
      ['layer', 'worker'].map((part) => {
        const files = readdirSync(join(staged, part), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.mjs'))
        return files.some((name) => readFileSync(join(staged, part, name), 'utf8').includes(text))
      })
    expect(holding(ours, 'of-our-organisation')).toEqual([true, true])
    expect(holding(staging, 'of-our-organisation')).toEqual([false, false])
  })

  it('are small: each function under 1 MiB, the layer under 10', () => {
    for (const name of LAMBDA_FUNCTIONS) expect(folderBytes(join(staging, 'functions', name)), name).toBeLessThan(MiB)
    expect(folderBytes(join(staging, 'layer'))).toBeLessThan(10 * MiB)
    expect(folderBytes(join(staging, 'layer'))).toBeGreaterThan(MiB)
  })

  it('use the layer: no function carries core, adapters or zod itself', () => {
    for (const name of LAMBDA_FUNCTIONS) {
      const text = readFileSync(join(staging, 'functions', name, 'index.mjs'), 'utf8')
      expect(text, name).toContain('/opt/nodejs/waybill/functions/aws.mjs')
      // Only the function that registers passkeys carries a library, and only for that.
      expect(text, name).not.toMatch(name === 'decide' ? /\/\/ (layers|node_modules\/zod)\// : /\/\/ (layers|node_modules)\//)
      for (const [, path] of text.matchAll(/from "\/opt\/nodejs\/(waybill\/[^"]+)"/g))
        expect(statSync(join(staging, 'layer/nodejs', path!)).isFile(), `${name} → ${path}`).toBe(true)
    }
  })

  it('come out the same when the CDK app builds them, and become its four stacks', { timeout: 60_000 }, async () => {
    const [outdir, second] = [join(folder, 'out'), join(folder, 'second')]
    const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')) as { context: Record<string, unknown> }
    const settings = join(folder, 'settings.json')
    writeFileSync(settings, JSON.stringify(ORGANISATION))
    const { code, stderr } = await run(`await import(${JSON.stringify(join(ROOT, 'infra/app.ts'))})`, {
      CDK_OUTDIR: outdir,
      CDK_CONTEXT_JSON: JSON.stringify({ ...context, stage: 'prod', staging: second, settings }),
    })
    expect(code, stderr).toBe(0)
    const stacks = readdirSync(outdir).filter((name) => name.endsWith('.template.json'))
    expect(stacks.sort()).toEqual(['Network', 'Observability', 'Pipeline', 'State'].map((name) => `Waybill-prod-${name}.template.json`))
    const digest = (root: string) => {
      const hash = createHash('sha256')
      for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' }).sort())
        if (statSync(join(root, name)).isFile()) hash.update(`${name}\n`).update(readFileSync(join(root, name)))
      return hash.digest('hex')
    }
    expect(digest(second)).toBe(digest(staging))
  })

  it('load on the layer: every function exports a handler', { timeout: 60_000 }, async () => {
    const { stdout, stderr } = await run(
      `const loaded = {}
       for (const name of ${JSON.stringify(LAMBDA_FUNCTIONS)}) loaded[name] = typeof (await import(${JSON.stringify(`${staging}/functions/`)} + name + '/index.mjs')).handler
       console.log(JSON.stringify(loaded))`,
    )
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual(Object.fromEntries(LAMBDA_FUNCTIONS.map((name) => [name, 'function'])))
  })

  it('a function fails with the code as the error name, and logs no event', { timeout: 60_000 }, async () => {
    const { stdout } = await run(
      `const { handler } = await import(${JSON.stringify(`${staging}/functions/request-approval/index.mjs`)})
       const context = { awsRequestId: 'r', functionName: 'f', functionVersion: '1', memoryLimitInMB: '512', invokedFunctionArn: 'arn', getRemainingTimeInMillis: () => 1000 }
       const names = []
       for (const event of [{ project_id: 'P!', run_id: 'r1', task_token: 'TOKEN-XYZ' }, { project_id: 'p1', run_id: 'r1', task_token: 'TOKEN-XYZ', transition: 'PLANNED->EXECUTED' }])
         await handler(event, context).then(() => names.push('none'), (error) => names.push(error.name))
       console.log('NAMES ' + names.join())`,
      { POWERTOOLS_TRACE_ENABLED: 'false' },
    )
    // The second event is well-formed; this function was then given no table.
    expect(stdout).toContain('NAMES BAD_INPUT,PERMISSION_DENIED')
    expect(stdout).not.toContain('TOKEN-XYZ')
  })

  it('an HTTP function that fails answers 500 and says nothing of why', { timeout: 60_000 }, async () => {
    const { stdout } = await run(
      `const { handler } = await import(${JSON.stringify(`${staging}/functions/approval-page/index.mjs`)})
       const context = { awsRequestId: 'r', functionName: 'f', functionVersion: '1', memoryLimitInMB: '512', invokedFunctionArn: 'arn', getRemainingTimeInMillis: () => 1000 }
       const answer = await handler({ rawPath: '/approvals/a-1', rawQueryString: 't=LINK-TOKEN', headers: {}, requestContext: { http: { method: 'GET' } } }, context)
       console.log('ANSWER ' + JSON.stringify(answer))`,
      { POWERTOOLS_TRACE_ENABLED: 'false' },
    )
    const answer = JSON.parse(/ANSWER (.*)/.exec(stdout)![1]!) as { statusCode: number; body: string }
    expect(answer.statusCode).toBe(500)
    expect(answer.body).not.toContain('WAYBILL_')
    expect(stdout).not.toContain('LINK-TOKEN')
  })

  for (const worker of WORKERS)
    it(`worker ${worker} starts, and says why it stops in its last line`, { timeout: 60_000 }, async () => {
      const main = `await import(${JSON.stringify(`${staging}/worker/${worker}.mjs`)})`
      const nothing = await run(main)
      expect(nothing.code).toBe(1)
      expect(JSON.parse(nothing.stderr.trim().split('\n').at(-1)!)).toMatchObject({ error: 'PERMISSION_DENIED' })
      const wrong = await run(main, { WAYBILL_TASK: '{"worker":"x"}' })
      expect(wrong.code).toBe(1)
      expect(JSON.parse(wrong.stderr.trim().split('\n').at(-1)!)).toMatchObject({ error: 'BAD_INPUT' })
    })
})
