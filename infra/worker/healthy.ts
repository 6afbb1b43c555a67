/** The container's health check: exit 0 while the worker still gets round to saying that it is alive. */
import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ALIVE_FILE, ALIVE_FOR_MS } from '../../layers/core/names.ts'

const said = statSync(join(tmpdir(), ALIVE_FILE), { throwIfNoEntry: false })?.mtimeMs ?? 0
process.exit(Date.now() - said < ALIVE_FOR_MS ? 0 : 1)
