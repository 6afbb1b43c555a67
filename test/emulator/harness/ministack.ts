import { spawn } from 'node:child_process'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../support/free-port.ts'

const HERE = dirname(fileURLToPath(import.meta.url))
const MODULES = join(HERE, '../../../node_modules')
export const REGION = 'eu-central-1'
export const ACCOUNT = '000000000000'

export type Emulator = {
  url: string
  /** What a client of this account needs in its environment. */
  env: Record<string, string>
  log(): string
  /** Adds a line to the log. */
  note(line: string): void
  stop(): Promise<void>
}

/** Starts the emulator on a free port of this machine. `folder` is scratch space; its functions are told where Step Functions and GitHub are. */
export async function startEmulator(folder: string, elsewhere: { stepFunctionsUrl: string; gitHubUrl: string }): Promise<Emulator> {
  const program = process.env.WAYBILL_MINISTACK
  if (program === undefined || !existsSync(program)) throw new Error('No emulator: run `npm run test:aws`, which installs it.')
  const port = await freePort()
  const node = join(folder, 'node')
  writeFileSync(node, `#!/bin/sh\nexec "${process.execPath}" --import "${join(HERE, 'lambda-hook.mjs')}" "$@"\n`)
  chmodSync(node, 0o755)

  let text = ''
  const child = spawn(program, [], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      HOME: folder,
      TMPDIR: folder,
      PATH: `${folder}${delimiter}${process.env.PATH ?? ''}`,
      NODE_PATH: MODULES,
      GATEWAY_PORT: String(port),
      BIND_HOST: '127.0.0.1',
      IOT_MTLS_ENABLED: '0',
      AWS_ENDPOINT_URL_SFN: elsewhere.stepFunctionsUrl,
      WAYBILL_TEST_GITHUB: elsewhere.gitHubUrl,
    },
  })
  const keep = (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-1_000_000)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))

  const url = `http://127.0.0.1:${port}`
  for (let tries = 0; ; tries++) {
    const ready = await fetch(`${url}/_ministack/health`).then(
      (response) => response.ok,
      () => false,
    )
    if (ready) break
    if (tries === 300 || child.exitCode !== null) throw new Error(`The emulator did not start:\n${text}`)
    await sleep(100)
  }
  return {
    url,
    env: {
      AWS_ENDPOINT_URL: url,
      AWS_ENDPOINT_URL_SFN: elsewhere.stepFunctionsUrl,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: REGION,
      AWS_DEFAULT_REGION: REGION,
      CDK_DEFAULT_ACCOUNT: ACCOUNT,
      CDK_DEFAULT_REGION: REGION,
      CDK_DISABLE_CLI_TELEMETRY: '1',
    },
    log: () => text,
    note: (line) => keep(Buffer.from(`${line}\n`)),
    async stop() {
      child.kill('SIGTERM')
      await Promise.race([ended, sleep(10_000).then(() => child.kill('SIGKILL'))])
      await ended
    },
  }
}
