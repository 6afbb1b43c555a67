import type { DatabaseSync } from 'node:sqlite'
import type { Block, State } from '../../../layers/local/asl/definition.ts'
import type { Machine } from '../../../layers/local/asl/load.ts'

/** One execution as Step Functions would have written it. `children` are executions of their own, of a distributed Map. */
export type History = {
  machine: string
  events: number
  transitions: number
  children: number
  childEvents: number
  childTransitions: number
}

/** Events beside a state's entry and exit: scheduled, started and succeeded; what waits for something is submitted in between. */
const TASK_EVENTS = { 'lambda:invoke': 3, 'lambda:invoke.waitForTaskToken': 4, 'ecs:runTask.sync': 4 }
/** Map state started and succeeded, Map run started and succeeded. */
const DISTRIBUTED_MAP_EVENTS = 4

/**
 * Counts the events and state transitions of every execution from what the interpreter recorded. A transition is every state entered, every retry, and
 * one more for each execution's end, which is more than the bill will say, not less.
 */
export function historiesOf(db: DatabaseSync, machines: Readonly<Record<string, Machine>>): Map<string, History> {
  const histories = new Map<string, History>()
  const states = new Map(Object.entries(machines).map(([name, { definition }]) => [name, statesOf(definition)]))
  for (const { name, machine } of db.prepare('SELECT name, machine FROM executions').all()) {
    const known = states.get(String(machine))!
    const history: History = { machine: String(machine), events: 0, transitions: 0, children: 0, childEvents: 0, childTransitions: 0 }
    histories.set(String(name), history)
    const children = new Map<string, number>()
    const note = (frame: string, events: number, transitions: number) => {
      if (frame === 'root') {
        history.events += events
        history.transitions += transitions
        return
      }
      history.childTransitions += transitions
      children.set(frame, (children.get(frame) ?? 0) + events)
    }
    for (const row of db.prepare('SELECT type, frame, state, detail FROM events WHERE execution = ? ORDER BY seq').all(name!)) {
      const [type, frame, state] = [String(row.type), String(row.frame), row.state === null ? undefined : known.get(String(row.state))]
      if (type === 'StateEntered') note(frame, 1, 1)
      else if (type === 'StateExited' || type === 'StateFailed') note(frame, 1, 0)
      else if (type === 'StateRetried') note(frame, 0, 1)
      else if (type === 'TaskStarted' && state?.Type === 'Task')
        note(frame, TASK_EVENTS[state.Resource as keyof typeof TASK_EVENTS] ?? 4, 0)
      else if (type === 'ItemsStarted') {
        history.events += DISTRIBUTED_MAP_EVENTS
        history.children += Number(row.detail)
      } else if (type.startsWith('Execution')) note('root', 1, type === 'ExecutionStarted' ? 0 : 1)
    }
    // A child's start, its first state and its end have no line of their own.
    for (const [frame, events] of children) children.set(frame, events + 3)
    history.childTransitions += 2 * history.children
    history.childEvents = Math.max(0, ...children.values())
  }
  return histories
}

function statesOf(block: Block, found = new Map<string, State>()): Map<string, State> {
  for (const [name, state] of Object.entries(block.States)) {
    found.set(name, state)
    if (state.Type === 'Map') statesOf(state.ItemProcessor, found)
  }
  return found
}

/** From here on the database notes how large every state's input and output is, and what a Map is given by all its items before its own output. */
export function measurePayloads(db: DatabaseSync): () => { state: string; bytes: number }[] {
  db.exec(`
    CREATE TEMP TABLE payloads (state TEXT PRIMARY KEY, bytes INTEGER NOT NULL);
    CREATE TEMP TRIGGER payload_given AFTER INSERT ON frames BEGIN
      INSERT INTO payloads VALUES (NEW.state, length(CAST(NEW.input AS BLOB))) ON CONFLICT DO UPDATE SET bytes = max(bytes, excluded.bytes); END;
    CREATE TEMP TRIGGER payload_passed AFTER UPDATE ON frames BEGIN
      INSERT INTO payloads VALUES (NEW.state, max(length(CAST(NEW.input AS BLOB)), coalesce(length(CAST(NEW.output AS BLOB)), 0)))
      ON CONFLICT DO UPDATE SET bytes = max(bytes, excluded.bytes); END;`)
  return () =>
    db
      .prepare(`
        SELECT state, bytes FROM payloads UNION ALL
        SELECT 'every ' || max(state), sum(length(CAST(output AS BLOB)) + 1) + 1 FROM frames WHERE frame LIKE '%/%' AND output IS NOT NULL
          GROUP BY execution, rtrim(frame, '0123456789') ORDER BY bytes DESC`)
      .all() as { state: string; bytes: number }[]
}
