/** A process that appends audit entries once it is told to: `append-entries.ts HOME ACTOR COUNT`, then a line on its standard input. */
import { once } from 'node:events'
import { record } from '../layers/core/ledger.ts'
import { sqliteAuditLog } from '../layers/local/audit-log.ts'
import { systemClock } from '../layers/local/clock.ts'
import { openHome } from '../layers/local/home.ts'

const [folder = '', actor = '', count = '0'] = process.argv.slice(2)
const home = openHome(folder)
const deps = { audit: sqliteAuditLog(home), clock: systemClock }
await deps.audit.head('measured')
process.stdout.write('ready\n')
await once(process.stdin, 'data')
for (let n = 0; n < Number(count); n++) await record(deps, 'measured', { actor, action: 'CHUNK_COPIED', details: { n: String(n) } })
home.close()
process.exit(0)
