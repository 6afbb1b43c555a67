import { describe, expect, it } from 'vitest'
import { WaybillError } from '../../../layers/core/errors.ts'
import { directoryArtifactStore } from '../../../layers/local/artifact-store.ts'
import { artifactItems, artifactResults } from '../../../layers/local/asl/item-reader.ts'
import { systemClock } from '../../../layers/local/clock.ts'
import { temporaryHomes } from '../temporary.ts'
import { bench, lambda, machine, run, worker } from './bench.ts'

const lines = (count: number) => Array.from({ length: count }, (_, n) => `${JSON.stringify({ id: `i${n}` })}\n`).join('')
const block = (states: Record<string, unknown>, mode?: Record<string, unknown>) => ({
  ...(mode === undefined ? {} : { ProcessorConfig: mode }),
  StartAt: Object.keys(states)[0],
  States: states,
})
const distributed = { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' }
const reader = { Resource: 'arn:aws:states:::s3:getObject', ReaderConfig: { InputType: 'JSONL' }, Arguments: { Bucket: 'b', Key: 'items' } }
const refuse = (code: string): never => {
  throw new WaybillError(code as 'CONFLICT', 'said so')
}

describe('Parallel', () => {
  it('runs all branches on the same input and gives their outputs in order', async () => {
    const { ended } = await run(
      {
        A: { Type: 'Pass', Assign: { v: 5 }, Next: 'P' },
        P: {
          Type: 'Parallel',
          Arguments: { n: '{% $states.input.n * 2 %}' },
          Branches: [
            block({
              L: { Type: 'Wait', Seconds: 10, Next: 'L2' },
              L2: { Type: 'Pass', Output: ['left', '{% $states.input.n %}'], End: true },
            }),
            block({
              R: { Type: 'Pass', Assign: { w: '{% $v + 1 %}' }, Next: 'R2' },
              R2: { Type: 'Succeed', Output: ['right', '{% $w %}'] },
            }),
          ],
          Assign: { r: '{% $states.result[1] %}' },
          Next: 'B',
        },
        B: { Type: 'Succeed', Output: { all: '{% $states.input %}', r: '{% $r %}' } },
      },
      { n: 2 },
    )
    expect(ended).toMatchObject({
      status: 'SUCCEEDED',
      output: {
        all: [
          ['left', 4],
          ['right', 6],
        ],
        r: ['right', 6],
      },
    })
  })

  it('fails with the first branch that fails, stops the others, and can be caught', async () => {
    let stopped = false
    const states = {
      P: {
        Type: 'Parallel',
        Branches: [block({ L: worker('slow', '{}', { End: true }) }), block({ R: lambda('f', { End: true }) })],
        Catch: [{ ErrorEquals: ['PLAN_INVALID'], Next: 'B' }],
        Next: 'B',
      },
      B: { Type: 'Succeed' },
    }
    const { ended } = await run(
      states,
      {},
      {
        functions: {
          f: async () => {
            await new Promise((resolve) => setTimeout(resolve, 20))
            refuse('PLAN_INVALID')
          },
        },
        workers: ({ signal }) =>
          new Promise((_, reject) =>
            signal.addEventListener('abort', () => {
              stopped = true
              reject(new Error('stopped'))
            }),
          ),
      },
    )
    expect(ended.output).toMatchObject({ Error: 'PLAN_INVALID' })
    expect(stopped).toBe(true)
    expect(ended.standing).toEqual([])
  })

  it('retries as a whole', async () => {
    let n = 0
    const states = {
      P: {
        Type: 'Parallel',
        Branches: [block({ L: lambda('l', { End: true }) }), block({ R: lambda('r', { End: true }) })],
        Retry: [{ ErrorEquals: ['CONFLICT'], MaxAttempts: 1 }],
        End: true,
      },
    }
    const { ended, calls } = await run(states, {}, { functions: { l: () => 'l', r: () => (n++ === 0 ? refuse('CONFLICT') : 'r') } })
    expect(ended.output).toEqual(['l', 'r'])
    expect(calls.filter((call) => call.name === 'l')).toHaveLength(2)
  })
})

describe('Map, inline', () => {
  const map = (more: Record<string, unknown>, states: Record<string, unknown>) => ({
    M: { Type: 'Map', ItemProcessor: block(states), ...more, End: true },
  })

  it('gives outputs in the order of items, with index and value in the context', async () => {
    const { ended } = await run(
      map(
        {
          Items: '{% $states.input.list %}',
          ItemSelector: {
            i: '{% $states.context.Map.Item.Index %}',
            v: '{% $states.context.Map.Item.Value %}',
            all: '{% $count($states.input.list) %}',
          },
        },
        {
          X: { Type: 'Wait', Seconds: '{% 10 - $states.input.i %}', Next: 'Y' },
          Y: {
            Type: 'Pass',
            Output: '{% $string($states.input.all) & $states.input.v & $string($states.context.Map.Item.Index) %}',
            End: true,
          },
        },
      ),
      { list: ['a', 'b', 'c'] },
    )
    expect(ended.output).toEqual(['3a0', '3b1', '3c2'])
  })

  it('takes no more at once than MaxConcurrency', async () => {
    let now = 0
    let most = 0
    const f = async () => {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setTimeout(resolve, 5))
      return --now
    }
    await run(map({ MaxConcurrency: '{% $states.input[0] + 1 %}', Items: [1, 2, 3, 4, 5, 6] }, { X: lambda('f', { End: true }) }), [1], {
      functions: { f },
    })
    expect(most).toBe(2)
  })

  it('fails with the item that fails', async () => {
    const { ended, calls } = await run(map({ MaxConcurrency: 1 }, { X: lambda('f', { End: true }) }), [1, 2, 3], {
      functions: { f: (n: number) => (n === 2 ? refuse('CONFLICT') : n) },
    })
    expect(ended.failure?.error).toBe('CONFLICT')
    expect(calls).toHaveLength(2)
  })

  it('of nothing is nothing; of no array is an error', async () => {
    expect((await run(map({}, { X: lambda('f', { End: true }) }), [])).ended.output).toEqual([])
    expect((await run(map({}, { X: lambda('f', { End: true }) }), { a: 1 })).ended.failure?.error).toBe('States.QueryEvaluationError')
  })

  it('nests', async () => {
    const inner = { Type: 'Map', ItemProcessor: block({ Y: { Type: 'Pass', Output: '{% $v & $states.input %}', End: true } }), End: true }
    const { ended } = await run({ A: { Type: 'Pass', Assign: { v: '-' }, Next: 'M' }, ...map({}, { X: inner }) }, [['a', 'b'], [], ['c']])
    expect(ended.output).toEqual([['-a', '-b'], [], ['-c']])
  })
})

describe('Map, distributed', () => {
  const map = (more: Record<string, unknown>, states: Record<string, unknown> = { X: lambda('f', { End: true }) }) => ({
    M: { Type: 'Map', ItemReader: reader, ItemProcessor: block(states, distributed), ...more, Next: 'B' },
    B: { Type: 'Succeed' },
  })

  it('reads JSONL, batches, and gives every item to exactly one worker', async () => {
    const states = map(
      { ItemBatcher: { MaxItemsPerBatch: 4, BatchInput: { project: '{% $states.input.project %}' } }, MaxConcurrency: 3 },
      {
        X: worker('hash', "{% $string({'project': $states.input.BatchInput.project, 'ids': [$states.input.Items.id]}) %}", {
          Output: { ids: '{% [$states.input.Items.id] %}' },
          End: true,
        }),
      },
    )
    const { ended, calls } = await run(states, { project: 'p1' }, { items: { items: lines(10) } })
    const tasks = calls
      .map((call) => JSON.parse((call.payload as { WAYBILL_TASK: string }).WAYBILL_TASK))
      .sort((a, b) => (a.ids[0] < b.ids[0] ? -1 : 1))
    expect(tasks).toEqual([
      { project: 'p1', ids: ['i0', 'i1', 'i2', 'i3'] },
      { project: 'p1', ids: ['i4', 'i5', 'i6', 'i7'] },
      { project: 'p1', ids: ['i8', 'i9'] },
    ])
    expect(ended.output).toEqual(tasks.map(({ ids }) => ({ ids })))
  })

  it('gives each batch an execution of its own: its input, and no variables from outside', async () => {
    const context = {
      X: { Type: 'Pass', Output: { own: '{% $states.context.Execution.Input.id %}', outer: '{% $exists($v) %}' }, End: true },
    }
    const states = { A: { Type: 'Pass', Assign: { v: 1 }, Next: 'M' }, ...map({}, context) }
    const { ended } = await run(states, {}, { items: { items: lines(2) } })
    expect(ended.output).toEqual([
      { own: 'i0', outer: false },
      { own: 'i1', outer: false },
    ])
  })

  it('keeps batches under a size in bytes, and an item beyond the payload limit fails', async () => {
    const f = (payload: { Items: unknown[] }) => payload.Items.length
    const states = map({ ItemBatcher: { MaxInputBytesPerBatch: 40 } })
    expect((await run(states, {}, { items: { items: lines(7) }, functions: { f } })).ended.output).toEqual([2, 2, 2, 1])
    const one = `${JSON.stringify({ id: 'x'.repeat(262_144) })}\n`
    expect((await run(states, {}, { items: { items: one }, functions: { f } })).ended.failure?.error).toBe('States.DataLimitExceeded')
  })

  it('stops at MaxItems and selects from items', async () => {
    const states = map(
      {
        ItemReader: { ...reader, ReaderConfig: { InputType: 'JSONL', MaxItems: 2 } },
        ItemSelector: '{% $states.context.Map.Item.Value.id & $states.input.tail %}',
      },
      { X: { Type: 'Succeed' } },
    )
    expect((await run(states, { tail: '!' }, { items: { items: lines(5) } })).ended.output).toEqual(['i0!', 'i1!'])
  })

  it('cannot go on without its items', async () => {
    const bad = [undefined, '{"id":1}\n{broken\n', '{"id":']
    for (const items of bad) {
      const { ended } = await run(map({}), {}, items === undefined ? {} : { items: { items } })
      expect(ended).toMatchObject({ status: 'FAILED', failure: { error: 'States.ItemReaderFailed' } })
    }
    expect((await run(map({}), {}, { items: { items: '' } })).ended).toMatchObject({ status: 'SUCCEEDED', output: [] })
  })

  it('counts failed items, not batches, against what is tolerated', async () => {
    const f = (payload: { Items: { id: string }[] }) => (payload.Items[0]?.id === 'i4' ? refuse('CHUNK_INCOMPLETE') : payload.Items.length)
    const outcome = async (tolerated: Record<string, unknown>) =>
      (
        await run(
          map({ ItemBatcher: { MaxItemsPerBatch: 4 }, MaxConcurrency: 1, ...tolerated }),
          {},
          { items: { items: lines(10) }, functions: { f } },
        )
      ).ended
    expect(await outcome({})).toMatchObject({
      status: 'FAILED',
      failure: {
        error: 'States.ExceedToleratedFailureThreshold',
        cause: expect.stringContaining('4 of 10 items failed; the first with CHUNK_INCOMPLETE'),
      },
    })
    expect(await outcome({ ToleratedFailureCount: 3 })).toMatchObject({ status: 'FAILED' })
    expect(await outcome({ ToleratedFailureCount: 4 })).toMatchObject({ status: 'SUCCEEDED', output: [4, 2] })
    expect(await outcome({ ToleratedFailurePercentage: 39 })).toMatchObject({ status: 'FAILED' })
    expect(await outcome({ ToleratedFailurePercentage: 40 })).toMatchObject({ status: 'SUCCEEDED' })
    expect(await outcome({ ToleratedFailurePercentage: '{% 100 %}', ToleratedFailureCount: 0 })).toMatchObject({ status: 'FAILED' })
  })

  it('can be caught and retried when too many fail', async () => {
    let n = 0
    const f = () => (n++ === 0 ? refuse('CHUNK_INCOMPLETE') : 'ok')
    const Retry = [{ ErrorEquals: ['States.ExceedToleratedFailureThreshold'], MaxAttempts: 1 }]
    expect((await run(map({ Retry }), {}, { items: { items: lines(2) }, functions: { f } })).ended.output).toEqual(['ok', 'ok'])
  })

  it('runs no more workers at once than this machine takes, whatever MaxConcurrency', async () => {
    let now = 0
    let most = 0
    const workers = async () => {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setTimeout(resolve, 5))
      now--
    }
    const { calls } = await run(
      map({ MaxConcurrency: 0 }, { X: worker('w', '{}', { End: true }) }),
      {},
      { items: { items: lines(12) }, workers, workerSlots: 2 },
    )
    expect(calls).toHaveLength(12)
    expect(most).toBe(2)
  })

  it('fails when its outputs together exceed the payload limit; a ResultWriter avoids that', async () => {
    const functions = { f: () => 'x'.repeat(100_000) }
    const items = { items: lines(3) }
    expect((await run(map({}), {}, { items, functions })).ended.failure?.error).toBe('States.DataLimitExceeded')
    const ResultWriter = {
      Resource: 'arn:aws:states:::s3:putObject',
      Arguments: { Bucket: 'b', Prefix: 'results/' },
      WriterConfig: { Transformation: 'COMPACT', OutputType: 'JSONL' },
    }
    const { ended, written } = await run(map({ ResultWriter }), {}, { items, functions })
    const { Key } = (ended.output as { ResultWriterDetails: { Key: string } }).ResultWriterDetails
    expect(Key).toMatch(/^results\/M-[0-9a-f]{32}\/manifest\.json$/)
    const manifest = JSON.parse(written.get(Key)!)
    expect(manifest.ResultFiles.FAILED).toEqual([])
    const file = manifest.ResultFiles.SUCCEEDED[0]
    expect(Buffer.byteLength(written.get(file.Key)!)).toBe(file.Size)
    expect(written.get(file.Key)!.trim().split('\n')).toHaveLength(3)
  })

  it('writes failures beside successes, and fails itself when it cannot write', async () => {
    const ResultWriter = { Resource: 'arn:aws:states:::s3:putObject', Arguments: { Bucket: 'b', Prefix: 'r' } }
    const f = ({ id }: { id: string }) => (id === 'i1' ? refuse('CHUNK_INCOMPLETE') : id)
    const states = map({ ResultWriter, ToleratedFailureCount: 1 })
    const { written } = await run(states, {}, { items: { items: lines(3) }, functions: { f } })
    const failed = [...written].find(([key]) => key.endsWith('/FAILED_0.json'))?.[1]
    expect(JSON.parse(failed!)).toEqual([expect.objectContaining({ Status: 'FAILED', Error: 'CHUNK_INCOMPLETE', Input: '{"id":"i1"}' })])
    const succeeded = [...written].find(([key]) => key.endsWith('/SUCCEEDED_0.json'))?.[1]
    expect(JSON.parse(succeeded!)).toHaveLength(2)
    const platform = { writeResults: () => Promise.reject(new Error('disk full')) }
    expect((await run(states, {}, { items: { items: lines(3) }, functions: { f }, platform })).ended.failure).toMatchObject({
      error: 'States.ResultWriterFailed',
    })
  })

  it('reads items out of the artifact store: the right version with the right bytes, or none', async () => {
    const { first, done } = temporaryHomes()
    const store = directoryArtifactStore({ folder: first.artifacts, db: first.db, clock: systemClock })
    const retainUntil = new Date('2126-01-01')
    const pointer = await store.put('projects/p1/chunks/1.jsonl', Buffer.from(lines(3)), { contentType: 'application/jsonl', retainUntil })
    const platform = { readItems: artifactItems(store), writeResults: artifactResults(store, () => retainUntil) }
    const states = map(
      { ItemReader: { ...reader, Arguments: { Bucket: '', Key: 'projects/p1/chunks/1.jsonl', VersionId: '{% $states.input.version %}' } } },
      { X: { Type: 'Pass', Output: '{% $states.input.id %}', End: true } },
    )
    const go = async (version: string) => (await run(states, { version }, { platform })).ended
    expect(await go(pointer.version_id)).toMatchObject({ output: ['i0', 'i1', 'i2'] })
    expect(await go('another')).toMatchObject({ failure: { error: 'States.ItemReaderFailed' } })
    const { chmodSync, writeFileSync } = await import('node:fs')
    const path = `${first.artifacts}/projects/p1/chunks/1.jsonl`
    chmodSync(path, 0o600)
    writeFileSync(path, lines(2))
    expect(await go(pointer.version_id)).toMatchObject({ failure: { error: 'States.ItemReaderFailed' } })
    await done()
  })

  it('keeps the results of finished items when it is taken up again, and reads the items no more', async () => {
    const machines = { main: machine(map({ MaxConcurrency: 1 })) }
    const hang = ({ id }: { id: string }, signal: AbortSignal) =>
      id === 'i2' ? new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))) : id
    const on = bench({ machines, items: { items: lines(4) }, functions: { f: hang } })
    await on.runner.start('main', 'x1', {})
    while (on.calls.length < 3) await new Promise((resolve) => setTimeout(resolve, 2))
    on.stop.abort()
    await on.runner.settled()
    const next = on.again({ machines, functions: { f: ({ id }: { id: string }) => id } })
    expect(await next.runner.resume()).toEqual(['x1'])
    expect(await next.runner.wait('x1')).toMatchObject({ output: ['i0', 'i1', 'i2', 'i3'] })
    expect(next.calls.map((call) => call.payload)).toEqual([{ id: 'i2' }, { id: 'i3' }])
    await on.done()
  })
})
