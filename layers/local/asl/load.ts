import { canonicalJson } from '../../core/canonical-json.ts'
import { sha256 } from '../../core/digest.ts'
import { WaybillError } from '../../core/errors.ts'
import { type Block, type Definition, definition as definitionShape, type State } from './definition.ts'
import { expressionFault } from './expression.ts'
import { STATES_ERRORS } from './failure.ts'

/** A definition that this interpreter runs completely. `text` is what it was parsed from, placeholders filled in. */
export type Machine = { definition: Definition; text: string; sha256: string }

/**
 * @param source parsed JSON of an `.asl.json` file
 * @param substitutions what `${Name}` stands for; a string that is nothing but a placeholder may become any JSON value
 * @throws ASL_UNSUPPORTED naming state and field for anything this interpreter does not run exactly as the service would
 */
export function load(source: unknown, substitutions: Readonly<Record<string, unknown>>): Machine {
  const filled = substitute(source, substitutions)
  const parsed = definitionShape.safeParse(filled)
  if (!parsed.success)
    throw refused(
      parsed.error.issues.map((issue) => {
        const keys = issue.code === 'unrecognized_keys' ? issue.keys : []
        const paths = keys.length === 0 ? [issue.path] : keys.map((key) => [...issue.path, key])
        return paths.map((path) => `${place(path.map(String))}: ${keys.length === 0 ? issue.message : 'not in the subset'}`).join('; ')
      }),
    )
  const faults = [...textFaults(filled, []), ...blockFaults(parsed.data, new Set(), new Set())]
  if (faults.length > 0) throw refused(faults)
  const text = canonicalJson(filled)
  return { definition: parsed.data, text, sha256: sha256(text) }
}

function refused(faults: string[]): WaybillError {
  return new WaybillError('ASL_UNSUPPORTED', `This state machine cannot run here: ${faults[0]}`, { details: faults.slice(0, 50) })
}

function substitute(value: unknown, substitutions: Readonly<Record<string, unknown>>): unknown {
  if (Array.isArray(value)) return value.map((item) => substitute(item, substitutions))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, substitute(inner, substitutions)]))
  if (typeof value !== 'string') return value
  const known = (name: string) => Object.hasOwn(substitutions, name)
  const whole = /^\$\{(\w+)\}$/.exec(value)?.[1]
  if (whole !== undefined && known(whole)) return substitutions[whole]
  return value.replace(/\$\{(\w+)\}/g, (placeholder, name: string) => {
    if (!known(name)) return placeholder
    const replacement = substitutions[name]
    return typeof replacement === 'string' ? replacement : JSON.stringify(replacement)
  })
}

/** `state HashBatches, field ItemReader/Resource` */
function place(path: readonly string[]): string {
  const at = path.lastIndexOf('States')
  const [state, field] = at === -1 ? [undefined, path] : [path[at + 1], path.slice(at + 2)]
  const where = field.length === 0 ? 'the whole' : `field ${field.join('/')}`
  return state === undefined ? where : `state ${state}, ${where}`
}

function textFaults(value: unknown, path: readonly string[]): string[] {
  if (typeof value === 'object' && value !== null) return Object.entries(value).flatMap(([key, inner]) => textFaults(inner, [...path, key]))
  if (typeof value !== 'string' || path.at(-1) === 'Comment') return []
  const faults: string[] = []
  const placeholder = /\$\{[^}]*\}/.exec(value)
  if (placeholder !== null) faults.push(`the placeholder ${placeholder[0]} stands for nothing`)
  const fault = expressionFault(value)
  if (fault !== null) faults.push(fault)
  // The token is kept only as a digest once the task was invoked: nothing later can read it.
  if (/\bcontext\s*\.\s*Task\b/.test(value) && !path.includes('Arguments')) faults.push('the task token is there in Arguments only')
  return faults.map((text) => `${place(path)}: ${text}`)
}

/** @param outer variables of enclosing blocks; @param seen names of states anywhere in the machine so far */
function blockFaults(block: Block, outer: ReadonlySet<string>, seen: Set<string>): string[] {
  const names = Object.keys(block.States)
  const faults: string[] = []
  const reached = new Set<string>()
  const visit = (name: string, from: string) => {
    const state = Object.hasOwn(block.States, name) ? block.States[name] : undefined
    if (state === undefined) faults.push(`${from}: there is no state ${name} beside it`)
    else if (!reached.has(name)) {
      reached.add(name)
      for (const [field, next] of exits(state)) visit(next, `state ${name}, field ${field}`)
    }
  }
  visit(block.StartAt, 'field StartAt')
  const assigned = new Set(Object.values(block.States).flatMap(assignments))
  for (const name of names) {
    const state = block.States[name]!
    if (!reached.has(name)) faults.push(`state ${name}: nothing leads to it`)
    if (seen.has(name)) faults.push(`state ${name}: another state has this name`)
    seen.add(name)
    const shadowed = assignments(state).find((variable) => outer.has(variable))
    if (shadowed !== undefined) faults.push(`state ${name}, field Assign/${shadowed}: an enclosing block has this variable`)
    faults.push(...stateFaults(state).map((fault) => `state ${name}, ${fault}`))
    const within = new Set([...outer, ...assigned])
    if (state.Type === 'Parallel') for (const branch of state.Branches) faults.push(...blockFaults(branch, within, seen))
    if (state.Type === 'Map')
      faults.push(...blockFaults(state.ItemProcessor, state.ItemProcessor.ProcessorConfig.Mode === 'INLINE' ? within : new Set(), seen))
  }
  return faults
}

function exits(state: State): [string, string][] {
  const found: [string, string][] = []
  if ('Next' in state && state.Next !== undefined) found.push(['Next', state.Next])
  if ('Catch' in state) found.push(...state.Catch.map((each, index): [string, string] => [`Catch/${index}/Next`, each.Next]))
  if (state.Type === 'Choice') {
    found.push(...state.Choices.map((each, index): [string, string] => [`Choices/${index}/Next`, each.Next]))
    if (state.Default !== undefined) found.push(['Default', state.Default])
  }
  return found
}

function assignments(state: State): string[] {
  const parts: { Assign?: Record<string, unknown> | undefined }[] = ['Assign' in state ? state : {}]
  if ('Catch' in state) parts.push(...state.Catch)
  if (state.Type === 'Choice') parts.push(...state.Choices)
  return parts.flatMap((part) => Object.keys(part.Assign ?? {}))
}

function stateFaults(state: State): string[] {
  const faults: string[] = []
  if (!['Choice', 'Succeed', 'Fail'].includes(state.Type)) {
    const { Next, End } = state as { Next?: string; End?: true }
    if ((Next === undefined) === (End === undefined)) faults.push('field Next: exactly one of Next and End')
  }
  if (state.Type === 'Wait' && (state.Seconds === undefined) === (state.Timestamp === undefined))
    faults.push('field Seconds: exactly one of Seconds and Timestamp')
  if (state.Type === 'Task' && state.HeartbeatSeconds !== undefined) {
    if (state.Resource !== 'lambda:invoke.waitForTaskToken')
      faults.push('field HeartbeatSeconds: only a task that waits for its token sends heartbeats')
    if (
      typeof state.HeartbeatSeconds === 'number' &&
      typeof state.TimeoutSeconds === 'number' &&
      state.HeartbeatSeconds >= state.TimeoutSeconds
    )
      faults.push('field HeartbeatSeconds: smaller than TimeoutSeconds')
  }
  if (state.Type === 'Map' && state.ItemProcessor.ProcessorConfig.Mode === 'INLINE')
    for (const field of [
      'ItemReader',
      'ItemBatcher',
      'ResultWriter',
      'ToleratedFailureCount',
      'ToleratedFailurePercentage',
      'Label',
    ] as const)
      if (state[field] !== undefined) faults.push(`field ${field}: only a distributed Map has it`)
  if (state.Type === 'Map') {
    if (state.ItemReader !== undefined && state.Items !== undefined) faults.push('field Items: not beside ItemReader')
    const batcher = state.ItemBatcher
    if (batcher !== undefined && batcher.MaxItemsPerBatch === undefined && batcher.MaxInputBytesPerBatch === undefined)
      faults.push('field ItemBatcher: MaxItemsPerBatch or MaxInputBytesPerBatch')
  }
  if ('Retry' in state) faults.push(...namesFaults('Retry', state.Retry), ...namesFaults('Catch', state.Catch))
  return faults
}

function namesFaults(field: string, entries: readonly { ErrorEquals: string[] }[]): string[] {
  return entries.flatMap(({ ErrorEquals }, index) => {
    const at = `field ${field}/${index}/ErrorEquals`
    const unknown = ErrorEquals.filter((name) => name.startsWith('States.') && !STATES_ERRORS.includes(name)).map(
      (name) => `${at}: no error ${name}`,
    )
    const all = ErrorEquals.includes('States.ALL') && (ErrorEquals.length > 1 || index < entries.length - 1)
    return all ? [...unknown, `${at}: States.ALL stands alone and last`] : unknown
  })
}
