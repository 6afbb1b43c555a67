import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startWaybill } from './command.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-pipe-'))
  // The demo puts its server elsewhere when another account cannot reach the folder, and then it would not be removed.
  await chmod(folder, 0o755)
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('a reader that goes away interrupts the demo: its server is stopped, and nothing is called a fault', async () => {
  const out = join(folder, 'out')
  const demo = startWaybill(['demo', '--rows', '100', '--out', out])
  await demo.saw(/legacy database loaded/)
  const pidFile = async () => {
    const { server } = JSON.parse(await readFile(join(out, 'demo.json'), 'utf8')) as { server: { dataDir: string } }
    return join(server.dataDir, 'postmaster.pid')
  }
  demo.child.stdout?.destroy()
  demo.child.stderr?.destroy()
  const { code } = await demo.done
  expect(code).toBe(130)
  await expect(stat(await pidFile())).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a reader that goes away before a short answer ends the command quietly', async () => {
  const schema = startWaybill(['schema', 'migration-spec'])
  schema.child.stdout?.destroy()
  const { code, err } = await schema.done
  expect([code, err]).toEqual([130, ''])
})
