import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ALIVE_FILE, ALIVE_FOR_MS } from '../core/names.ts'

/** Says now and then that the event loop still turns; `infra/worker/healthy.ts` looks. Keeps no process alive. */
export function keepSayingAlive(folder: string = tmpdir()): void {
  const say = () => {
    try {
      writeFileSync(join(folder, ALIVE_FILE), '')
    } catch {
      // Whoever looks finds it old: that is the message.
    }
  }
  say()
  setInterval(say, ALIVE_FOR_MS / 6).unref()
}
