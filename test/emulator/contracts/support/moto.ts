import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../../support/free-port.ts'

/** The other emulator, installed beside the first: `url` to call it at. */
export async function startMoto(): Promise<{ url: string; stop(): Promise<void> }> {
  const beside = process.env.WAYBILL_MINISTACK
  const program = beside === undefined ? '' : join(dirname(beside), 'moto_server')
  if (!existsSync(program)) throw new Error('No second emulator: run `npm run test:aws`, which installs it.')
  const port = await freePort()
  let text = ''
  const child: ChildProcess = spawn(program, ['-H', '127.0.0.1', '-p', String(port)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' },
  })
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-100_000)
    })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = `http://127.0.0.1:${port}`
  for (let tries = 0; ; tries++) {
    const ready = await fetch(`${url}/moto-api/data.json`).then(
      (response) => response.ok,
      () => false,
    )
    if (ready) break
    if (tries === 300 || child.exitCode !== null) throw new Error(`The second emulator did not start:\n${text}`)
    await sleep(100)
  }
  return {
    url,
    async stop() {
      child.kill('SIGTERM')
      await Promise.race([ended, sleep(5000).then(() => child.kill('SIGKILL'))])
      await ended
    },
  }
}
