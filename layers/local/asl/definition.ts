import { z } from 'zod'

/**
 * The subset of the Amazon States Language that Waybill runs on a laptop: JSONata only. Shapes are strict: a field that is not here is
 * refused when a definition is loaded, because a field that is silently ignored would mean something else in the account.
 */
export type Json = z.infer<ReturnType<typeof z.json>>

const expression = z.string().regex(/^\{%[\s\S]*%\}$/, 'an expression such as {% $states.input.field %}')
const template = z.json()
const name = z.string().min(1).max(80)
const positive = z.union([z.int().min(1).max(99_999_999), expression])
const natural = z.union([z.int().min(0), expression])

const about = { Comment: z.string().optional(), QueryLanguage: z.literal('JSONata').optional() }
const flow = { Next: name.optional(), End: z.literal(true).optional() }
const data = { Output: template.optional(), Assign: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,79}$/), template).optional() }

const errorNames = z.array(z.string().min(1).max(256)).min(1)
export const retrier = z.strictObject({
  ErrorEquals: errorNames,
  IntervalSeconds: z.int().min(1).max(99_999_999).default(1),
  MaxAttempts: z.int().min(0).max(99_999_999).default(3),
  BackoffRate: z.number().min(1).default(2),
  MaxDelaySeconds: z.int().min(1).max(31_622_400).optional(),
  JitterStrategy: z.enum(['FULL', 'NONE']).default('NONE'),
})
export type Retrier = z.infer<typeof retrier>
export const catcher = z.strictObject({ ErrorEquals: errorNames, Next: name, ...data })
export type Catcher = z.infer<typeof catcher>
const patience = { Retry: z.array(retrier).default([]), Catch: z.array(catcher).default([]) }

const RESOURCES = [
  'lambda:invoke',
  'lambda:invoke.waitForTaskToken',
  'ecs:runTask.sync',
  'states:startExecution',
  'states:startExecution.sync:2',
] as const
const arn = /^arn:aws[a-z-]*:states:::/
const resource = z
  .string()
  .regex(arn, 'a service integration arn:aws:states:::…')
  .transform((text) => text.replace(arn, ''))
  .pipe(z.enum(RESOURCES))
const s3 = (action: string) => z.string().regex(new RegExp(`${arn.source}s3:${action}$`), `arn:aws:states:::s3:${action}`)

const task = z.strictObject({
  ...about,
  ...flow,
  ...data,
  ...patience,
  Type: z.literal('Task'),
  Resource: resource,
  Arguments: template.optional(),
  TimeoutSeconds: positive.optional(),
  HeartbeatSeconds: positive.optional(),
})
export type TaskState = z.infer<typeof task>

const choice = z.strictObject({
  ...about,
  ...data,
  Type: z.literal('Choice'),
  Choices: z
    .array(z.strictObject({ ...data, Comment: z.string().optional(), Condition: z.union([expression, z.boolean()]), Next: name }))
    .min(1),
  Default: name.optional(),
})
const wait = z.strictObject({
  ...about,
  ...flow,
  ...data,
  Type: z.literal('Wait'),
  Seconds: z.union([z.int().min(0).max(99_999_999), expression]).optional(),
  Timestamp: z.string().optional(),
})
const pass = z.strictObject({ ...about, ...flow, ...data, Type: z.literal('Pass') })
const succeed = z.strictObject({ ...about, Type: z.literal('Succeed'), Output: template.optional() })
const fail = z.strictObject({ ...about, Type: z.literal('Fail'), Error: z.string().min(1), Cause: z.string().optional() })
export type WaitState = z.infer<typeof wait>
export type ChoiceState = z.infer<typeof choice>

export interface Block {
  StartAt: string
  States: Record<string, State>
}
interface Processor extends Block {
  ProcessorConfig: { Mode: 'INLINE' } | { Mode: 'DISTRIBUTED'; ExecutionType: 'STANDARD' | 'EXPRESS' }
}
const blockFields = {
  StartAt: name,
  States: z.record(
    name,
    z.lazy((): z.ZodType<State> => state),
  ),
}
const branch: z.ZodType<Block> = z.strictObject({ Comment: z.string().optional(), ...blockFields })
const processor: z.ZodType<Processor> = z.strictObject({
  Comment: z.string().optional(),
  ProcessorConfig: z
    .discriminatedUnion('Mode', [
      z.strictObject({ Mode: z.literal('INLINE') }),
      z.strictObject({ Mode: z.literal('DISTRIBUTED'), ExecutionType: z.enum(['STANDARD', 'EXPRESS']) }),
    ])
    .default({ Mode: 'INLINE' }),
  ...blockFields,
})

const parallel = z.strictObject({
  ...about,
  ...flow,
  ...data,
  ...patience,
  Type: z.literal('Parallel'),
  Arguments: template.optional(),
  Branches: z.array(branch).min(1),
})
export type ParallelState = z.infer<typeof parallel>

const map = z.strictObject({
  ...about,
  ...flow,
  ...data,
  ...patience,
  Type: z.literal('Map'),
  Label: z.string().max(40).optional(),
  Items: z.union([expression, z.array(template)]).optional(),
  ItemSelector: template.optional(),
  ItemReader: z
    .strictObject({
      Resource: s3('getObject'),
      ReaderConfig: z.strictObject({ InputType: z.literal('JSONL'), MaxItems: positive.optional() }),
      Arguments: template,
    })
    .optional(),
  ItemBatcher: z
    .strictObject({
      MaxItemsPerBatch: positive.optional(),
      MaxInputBytesPerBatch: z.union([z.int().min(1).max(262_144), expression]).optional(),
      BatchInput: template.optional(),
    })
    .optional(),
  ResultWriter: z
    .strictObject({
      Resource: s3('putObject'),
      Arguments: template,
      WriterConfig: z
        .strictObject({ Transformation: z.enum(['NONE', 'COMPACT']), OutputType: z.enum(['JSON', 'JSONL']) })
        .default({ Transformation: 'NONE', OutputType: 'JSON' }),
    })
    .optional(),
  MaxConcurrency: natural.default(0),
  ToleratedFailureCount: natural.optional(),
  ToleratedFailurePercentage: z.union([z.number().min(0).max(100), expression]).optional(),
  ItemProcessor: processor,
})
export type MapState = z.infer<typeof map>

export const state = z.discriminatedUnion('Type', [task, choice, wait, pass, succeed, fail, parallel, map])
export type State = z.infer<typeof state>

export const definition = z.strictObject({
  Comment: z.string().optional(),
  Version: z.literal('1.0').optional(),
  QueryLanguage: z.literal('JSONata'),
  TimeoutSeconds: z.int().min(1).max(99_999_999).optional(),
  ...blockFields,
})
export type Definition = z.infer<typeof definition>
