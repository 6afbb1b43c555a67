import { grouped } from '../../layers/core/count-words.ts'
import { stateName } from '../../layers/core/names.ts'
import { BEAT_SECONDS, type WorkProgress } from '../../layers/core/schemas/progress.ts'

/** One worker's tasks of a run, together. `silent`: seconds since the one that was heard of longest ago, where that is too long. */
export type Working = { worker: string; run_id: string; tasks: number; tables: string[]; rows: string; silent: number | null }

/** What works now, by run and worker; rows include tasks that are done. */
export function workingNow(rows: readonly WorkProgress[], now: Date): Working[] {
  const groups = Map.groupBy(rows, ({ run_id, worker }) => `${run_id} ${worker}`)
  return [...groups.values()].flatMap((tasks) => {
    const working = tasks.filter(({ state }) => state === 'working')
    const [first] = working
    if (first === undefined) return []
    const oldest = Math.min(...working.map(({ beat_at }) => Date.parse(beat_at)))
    const since = Math.round((now.getTime() - oldest) / 1000)
    return [
      {
        worker: first.worker,
        run_id: first.run_id,
        tasks: working.length,
        tables: [...new Set(working.flatMap(({ table_id }) => table_id ?? []))].sort(),
        rows: String(tasks.reduce((sum, each) => sum + BigInt(each.rows), 0n)),
        silent: since > 3 * BEAT_SECONDS ? since : null,
      },
    ]
  })
}

export function workingWords({ worker, tasks, tables, rows, silent }: Working): string {
  const many = tasks === 1 ? '' : `${tasks} × `
  const where = tables.length === 0 ? '' : ` of ${tables.slice(0, 3).join(', ')}${tables.length > 3 ? ' and others' : ''}`
  return `${many}${stateName(worker)} ${grouped(rows)} rows${where}${silent === null ? '' : `, not heard of for ${silent} s`}`
}
