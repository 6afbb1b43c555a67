/** Appends audit entries and stores artifacts until it has done `count`, or is killed: `append.ts HOME ACTOR COUNT`. */

import { record } from '../../../layers/core/ledger.ts'
import { directoryArtifactStore } from '../../../layers/local/artifact-store.ts'
import { sqliteAuditLog } from '../../../layers/local/audit-log.ts'
import { systemClock } from '../../../layers/local/clock.ts'
import { openHome } from '../../../layers/local/home.ts'

const [folder = '', actor = '', count = '0'] = process.argv.slice(2)
const { db, artifacts } = openHome(folder)
const log = sqliteAuditLog({ db })
const store = directoryArtifactStore({ folder: artifacts, db, clock: systemClock })

for (let n = 0; n < Number(count); n++) {
  const bytes = Buffer.alloc(20_000, `${actor} ${n} `)
  const pointer = await store.put(`crash/${actor}/${n}.bin`, bytes, {
    contentType: 'application/octet-stream',
    retainUntil: new Date('2126-01-01'),
  })
  await record({ audit: log, clock: systemClock }, 'p1', { actor, action: 'CHUNK_COPIED', subject_sha256: pointer.sha256 })
  // Said only after both returned: from here on neither may be lost.
  process.stdout.write(`${JSON.stringify(pointer)}\n`)
}
