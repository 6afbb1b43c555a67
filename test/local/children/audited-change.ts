/**
 * Opens a project and moves it on, with its audit entries and anchors, and kills itself with SIGKILL just before the write numbered POINT:
 * `audited-change.ts HOME POINT`. Without a point it says how many writes there are. Also what the test resumes by.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { createHandler } from '../../../functions/anchor-audit/handler.ts'
import type { Ports } from '../../../layers/core/ports.ts'
import { advance, open } from '../../../layers/core/project-service.ts'
import { defaultPolicy } from '../../../layers/core/rulebooks.ts'
import { directoryArtifactStore } from '../../../layers/local/artifact-store.ts'
import { sqliteAuditLog } from '../../../layers/local/audit-log.ts'
import { systemClock } from '../../../layers/local/clock.ts'
import { type Home, openHome } from '../../../layers/local/home.ts'
import { sqliteProjectStore } from '../../../layers/local/project-store.ts'
import { fileSigners } from '../../../layers/local/signer.ts'
import { projectRecord } from '../../contracts/samples.ts'

export const PROJECT = 'p1'

/** The same calls again and again until they return: what Step Functions' retries do. */
export async function change(home: Home): Promise<void> {
  const signers = fileSigners({ folder: home.keys })
  // As under a home: a key is made when something is first signed.
  const trust = { plan: [], approval: [], evidence: [], anchor: [await signers.anchor.publicKeyPem()] }
  const ports = {
    clock: systemClock,
    policy: defaultPolicy,
    projects: sqliteProjectStore(home),
    audit: sqliteAuditLog(home),
    artifacts: directoryArtifactStore({ folder: home.artifacts, db: home.db, clock: systemClock }),
    signers,
    trust,
  } as unknown as Ports
  const anchor = createHandler(ports)
  ports.anchors = { anchor: async (project_id) => void (await anchor({ project_id, run_id: 'r' })) }
  await open(ports, projectRecord(PROJECT), { actor: 'waybill/create-project', action: 'PROJECT_CREATED' })
  await advance(ports, PROJECT, { to: 'DISCOVERED', actor: 'waybill/discover', action: 'DISCOVERY_PROPOSED' })
  await advance(ports, PROJECT, { set: { title: 'Another' }, actor: 'waybill/discover', action: 'PROFILE_PROPOSED' })
}

function killAt(point: number): () => number {
  let writes = 0
  const counted = (target: object, name: string, counts: (first: unknown) => boolean = () => true) => {
    const methods = target as Record<string, (...args: unknown[]) => unknown>
    const original = methods[name]!
    methods[name] = function (this: unknown, ...args: unknown[]) {
      if (counts(args[0])) {
        writes += 1
        if (writes === point) process.kill(process.pid, 'SIGKILL')
      }
      return original.apply(this, args)
    }
  }
  counted(DatabaseSync.prototype, 'exec', (sql) => /^(BEGIN|COMMIT)/.test(String(sql)))
  counted(StatementSync.prototype, 'run')
  for (const name of ['writeSync', 'linkSync', 'unlinkSync', 'rmSync']) counted(fs, name)
  syncBuiltinESMExports()
  return () => writes
}

if (process.argv[1]?.endsWith('audited-change.ts')) {
  const home = openHome(process.argv[2]!)
  const writes = killAt(Number(process.argv[3]))
  await change(home)
  process.stdout.write(`${writes()} writes\n`)
  home.close()
}
