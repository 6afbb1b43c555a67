import { join } from 'node:path'
import { openLocalPorts } from '../../functions/local.ts'
import { entryAfter } from '../contracts/audit-log.ts'
import { anchorsContract } from '../contracts/small-ports.ts'
import { temporaryFolder } from './temporary.ts'

anchorsContract('a home', async () => {
  const { folder, remove } = temporaryFolder()
  const { ports, close } = await openLocalPorts({ home: join(folder, 'home'), env: {}, publicUrl: 'http://127.0.0.1:1', onLog: () => {} })
  for (const id of ['p1', 'p2']) await ports.audit.append(entryAfter(null, 'ada@example.org', id))
  return {
    anchors: ports.anchors,
    anchored: (projectId) => ports.artifacts.list(`projects/${projectId}/anchors/`),
    async done() {
      close()
      remove()
    },
  }
})
