import { z } from 'zod'
import { sha256 } from '../../core/digest.ts'
import type { Json, MapState } from './definition.ts'
import type { Child, Frame } from './execution.ts'
import { limited, PAYLOAD_LIMIT } from './expression.ts'
import { Halted, StateFailed } from './failure.ts'
import { fanOut, noneMayFail, outputsOf, type RunFrame } from './fan-out.ts'
import type { Run } from './run.ts'
import { evaluateIn } from './scope.ts'

/** Limits of the service for MaxConcurrency 0. */
const INLINE_CONCURRENCY = 40
const DISTRIBUTED_CONCURRENCY = 10_000

/** @returns the items' outputs in their order; of a distributed Map with a ResultWriter, where they were written */
export async function performMap(run: Run, frame: Frame, state: MapState, signal: AbortSignal, runFrame: RunFrame): Promise<Json> {
  const distributed = state.ItemProcessor.ProcessorConfig.Mode === 'DISTRIBUTED'
  const limit = await figure(run, frame, 'MaxConcurrency', state.MaxConcurrency)
  const most = distributed ? DISTRIBUTED_CONCURRENCY : INLINE_CONCURRENCY
  const frames = await fanOut(
    run,
    frame,
    {
      children: () => childrenOf(run, frame, state, distributed),
      block: () => state.ItemProcessor,
      concurrency: limit === 0 ? most : Math.min(limit, most),
      onFailed: distributed ? await tolerance(run, frame, state) : noneMayFail,
    },
    signal,
    runFrame,
  )
  if (state.ResultWriter !== undefined) return written(run, frame, state, state.ResultWriter, frames, signal)
  return limited(outputsOf(frames), `result of ${frame.state}`)
}

async function childrenOf(run: Run, frame: Frame, state: MapState, distributed: boolean): Promise<Child[]> {
  const items = await itemsOf(run, frame, state)
  const selected: { item: { Index: number; Value: Json }; input: Json }[] = []
  for (const [Index, Value] of items.entries()) {
    const item = { Index, Value }
    selected.push({ item, input: state.ItemSelector === undefined ? Value : await evaluateIn(run, frame, state.ItemSelector, { item }) })
  }
  const start = state.ItemProcessor.StartAt
  if (!distributed) {
    const variables = { ...frame.scope.variables, ...frame.variables }
    return selected.map(({ item, input }) => ({
      state: start,
      input: limited(input, `item of ${frame.state}`),
      scope: { ...frame.scope, variables, item },
      weight: 1,
    }))
  }
  const batches = await batched(
    run,
    frame,
    state,
    selected.map(({ input }) => input),
  )
  return batches.map(({ input, weight }, index) => {
    limited(input, `item of ${frame.state}`)
    // An execution of its own: it sees no variables, and its input is its execution's.
    const Name = `${state.Label ?? frame.state}-${sha256(`${run.name} ${frame.frame}@${frame.step} ${index}`).slice(0, 32)}`
    return { state: start, input, scope: { variables: {}, execution: { Name, Input: input } }, weight }
  })
}

const location = z.strictObject({ Bucket: z.string(), Key: z.string().min(1), VersionId: z.string().min(1).optional() })

async function itemsOf(run: Run, frame: Frame, state: MapState): Promise<Json[]> {
  if (state.ItemReader === undefined) {
    const items = state.Items === undefined ? frame.input : await evaluateIn(run, frame, state.Items)
    if (!Array.isArray(items)) throw new StateFailed('States.QueryEvaluationError', `Items of ${frame.state} is not an array.`)
    return items
  }
  const at = location.safeParse(await evaluateIn(run, frame, state.ItemReader.Arguments))
  if (!at.success) throw new StateFailed('States.ItemReaderFailed', `ItemReader of ${frame.state} takes Bucket, Key and VersionId.`)
  const { MaxItems } = state.ItemReader.ReaderConfig
  const most = MaxItems === undefined ? Number.POSITIVE_INFINITY : await figure(run, frame, 'MaxItems', MaxItems)
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await run.platform.readItems(at.data))
    return text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(0, most)
      .map((line) => JSON.parse(line))
  } catch (error) {
    throw new StateFailed('States.ItemReaderFailed', `${at.data.Key} cannot be read as JSONL: ${(error as Error).message}`)
  }
}

async function batched(run: Run, frame: Frame, state: MapState, items: Json[]): Promise<{ input: Json; weight: number }[]> {
  const batcher = state.ItemBatcher
  if (batcher === undefined) return items.map((input) => ({ input, weight: 1 }))
  const most =
    batcher.MaxItemsPerBatch === undefined
      ? Number.POSITIVE_INFINITY
      : await figure(run, frame, 'MaxItemsPerBatch', batcher.MaxItemsPerBatch)
  const given = batcher.MaxInputBytesPerBatch
  const bytes = given === undefined ? PAYLOAD_LIMIT : await figure(run, frame, 'MaxInputBytesPerBatch', given)
  if (most < 1) throw new StateFailed('States.QueryEvaluationError', `MaxItemsPerBatch of ${frame.state} is not positive.`)
  const shared = batcher.BatchInput === undefined ? {} : { BatchInput: await evaluateIn(run, frame, batcher.BatchInput) }
  const empty = Buffer.byteLength(JSON.stringify({ ...shared, Items: [] }))
  const batches: Json[][] = []
  let size = Number.POSITIVE_INFINITY
  for (const item of items) {
    const own = Buffer.byteLength(JSON.stringify(item)) + 1
    const last = batches.at(-1)
    if (last === undefined || last.length >= most || size + own > bytes) {
      batches.push([item])
      size = empty + own
    } else {
      last.push(item)
      size += own
    }
  }
  return batches.map((Items) => ({ input: { ...shared, Items }, weight: Items.length }))
}

/** Failed items are counted, not batches. Either figure exceeded fails the Map; with neither given, none may fail. */
async function tolerance(run: Run, frame: Frame, state: MapState): Promise<(frame: Frame, all: () => readonly Frame[]) => void> {
  const { ToleratedFailureCount, ToleratedFailurePercentage } = state
  const count = ToleratedFailureCount === undefined ? null : await figure(run, frame, 'ToleratedFailureCount', ToleratedFailureCount)
  const given = ToleratedFailurePercentage
  const percentage = given === undefined ? null : await evaluateIn(run, frame, given)
  if (percentage !== null && !(typeof percentage === 'number' && percentage >= 0 && percentage <= 100))
    throw new StateFailed('States.QueryEvaluationError', `ToleratedFailurePercentage of ${frame.state} is not a number from 0 to 100.`)
  return (_failed, all) => {
    const frames = all()
    const items = frames.reduce((sum, each) => sum + each.weight, 0)
    const broken = frames.filter((each) => each.status === 'FAILED')
    const failures = broken.reduce((sum, each) => sum + each.weight, 0)
    const tooMany =
      count === null && percentage === null
        ? failures > 0
        : failures > (count ?? Number.POSITIVE_INFINITY) || (failures / items) * 100 > (percentage ?? 100)
    if (!tooMany) return
    const [first] = broken
    throw new StateFailed(
      'States.ExceedToleratedFailureThreshold',
      `${failures} of ${items} items failed; the first with ${first?.failure?.error}: ${first?.failure?.cause.slice(0, 4000)}`,
    )
  }
}

const target = z.strictObject({ Bucket: z.string(), Prefix: z.string().default('') })

/** Keys and bytes follow from what is recorded: a resumed run writes the same files again. */
async function written(
  run: Run,
  frame: Frame,
  state: MapState,
  writer: NonNullable<MapState['ResultWriter']>,
  frames: Frame[],
  signal: AbortSignal,
): Promise<Json> {
  const at = target.safeParse(await evaluateIn(run, frame, writer.Arguments))
  if (!at.success) throw new StateFailed('States.ResultWriterFailed', `ResultWriter of ${frame.state} takes Bucket and Prefix.`)
  const { Bucket, Prefix } = at.data
  const mapRun = `${state.Label ?? frame.state}-${sha256(`${run.name} ${frame.frame}@${frame.step}`).slice(0, 32)}`
  const folder = [Prefix.replace(/\/+$/, ''), mapRun].filter((part) => part !== '').join('/')
  const { Transformation, OutputType } = writer.WriterConfig
  const put = async (name: string, value: Json[] | Json, lines: boolean) => {
    if (signal.aborted) throw new Halted()
    const text = lines && Array.isArray(value) ? value.map((each) => `${JSON.stringify(each)}\n`).join('') : JSON.stringify(value)
    const bytes = Buffer.from(text)
    try {
      await run.platform.writeResults({
        Bucket,
        Key: `${folder}/${name}`,
        bytes,
        contentType: lines ? 'application/jsonl' : 'application/json',
      })
    } catch (error) {
      throw new StateFailed('States.ResultWriterFailed', `${folder}/${name} was not written: ${(error as Error).message}`)
    }
    return { Key: `${folder}/${name}`, Size: bytes.length }
  }
  const listed = async (status: 'SUCCEEDED' | 'FAILED') => {
    const ended = frames.filter((each) => each.status === status)
    if (ended.length === 0) return []
    const compact = Transformation === 'COMPACT' && status === 'SUCCEEDED'
    return [await put(`${status}_0.${OutputType.toLowerCase()}`, compact ? outputsOf(ended) : ended.map(described), OutputType === 'JSONL')]
  }
  const ResultFiles = { FAILED: await listed('FAILED'), PENDING: [], SUCCEEDED: await listed('SUCCEEDED') }
  const manifest = await put('manifest.json', { DestinationBucket: Bucket, MapRunArn: mapRun, ResultFiles }, false)
  return { MapRunArn: mapRun, ResultWriterDetails: { Bucket, Key: manifest.Key } }
}

function described(frame: Frame): Json {
  const { Name, Input } = frame.scope.execution!
  const shown = { ExecutionArn: Name, Name, Input: JSON.stringify(Input), Status: frame.status }
  return frame.failure === null
    ? { ...shown, Output: JSON.stringify(frame.output) }
    : { ...shown, Error: frame.failure.error, Cause: frame.failure.cause }
}

async function figure(run: Run, frame: Frame, field: string, given: number | string): Promise<number> {
  const value = await evaluateIn(run, frame, given)
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value
  throw new StateFailed('States.QueryEvaluationError', `${field} of ${frame.state} is not a whole number.`)
}
