import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Home, openHome } from '../../layers/local/home.ts'

export function temporaryFolder(): { folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-test-'))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** One home opened twice, as two processes would. */
export function temporaryHomes(): { first: Home; second: Home; folder: string; done(): Promise<void> } {
  const { folder, remove } = temporaryFolder()
  const first = openHome(join(folder, 'home'))
  const second = openHome(join(folder, 'home'))
  return {
    first,
    second,
    folder: join(folder, 'home'),
    async done() {
      first.close()
      second.close()
      remove()
    },
  }
}
