import { type CloudFormationClient, DescribeStacksCommand, type Stack } from '@aws-sdk/client-cloudformation'
import { z } from 'zod'
import { WaybillError } from '../../core/errors.ts'
import { MAC_PURPOSES } from '../../core/names.ts'
import { asSessionError } from './session.ts'

const NAME = /^(Waybill-[a-z]+)(?:-(State|Network|Pipeline|Observability))?$/
export const STACKS = ['State', 'Network', 'Pipeline', 'Observability'] as const
export type StackName = (typeof STACKS)[number]

const text = z.string().min(1)
const list = z.string().transform((line) => line.split(',').filter((each) => each !== ''))
const json = z.string().transform((line, context): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    context.addIssue('is no JSON')
    return z.NEVER
  }
})
const arns = z.array(text)

/** What `infra/` publishes, stack by stack. A stack without one of these was deployed by another version. */
const OUTPUTS = {
  State: z.object({
    EvidenceBucketName: text,
    EvidenceLock: z.enum(['COMPLIANCE', 'GOVERNANCE']),
    EvidenceDays: z.string().regex(/^[0-9]+$/),
    ProjectsTableName: text,
    AuditTableName: text,
    ApprovalsTableName: text,
    ProgressTableName: text,
    PlanKeyArn: text,
    ApprovalKeyArn: text,
    EvidenceKeyArn: text,
    AnchorKeyArn: text,
    PlanSignerArns: list,
    ApprovalSignerArns: list,
    EvidenceSignerArns: list,
    AnchorSignerArns: list,
    MacKeyUsers: json.pipe(z.record(z.enum(MAC_PURPOSES), z.object({ key: text, makers: arns, checkers: arns }))),
    TokenKeyUsers: json.pipe(z.object({ key: text, sealers: arns, openers: arns })),
    DataKeyArn: text,
    GitTokenArn: text,
    WorkerRepositoryName: text,
    SecretsPrefix: text,
  }),
  Network: z.object({ VpcId: text, WorkerSubnetIds: list, EndpointServices: list }),
  Pipeline: z.object({
    MigrationMachineArn: text,
    ReconcileMachineArn: text,
    ApprovalsUrl: z.url(),
    ClusterName: text,
    WorkerImage: text,
    MailFrom: text,
    MailIdentity: text,
    GitRepository: text,
    ScheduleGroupName: text,
    ScheduleTimeZone: text,
  }),
}

export type Outputs = z.infer<typeof OUTPUTS.State> & z.infer<typeof OUTPUTS.Network> & z.infer<typeof OUTPUTS.Pipeline>

/** One stage of Waybill in one account and region. */
export type Deployment = {
  /** `Waybill-dev` */
  name: string
  account: string
  region: string
  /** CloudFormation's status of each stack, null where there is none. */
  stacks: Readonly<Record<StackName, string | null>>
  /** Null where a stack or an output is missing; `missing` says which. */
  outputs: Outputs | null
  missing: readonly string[]
}

/**
 * Finds a deployment by its stacks. Without a name, the only one in the region.
 * @throws NOT_FOUND when there is none, BAD_INPUT for a name that is none or when there are several, PERMISSION_DENIED, CONNECTION_FAILED
 */
export async function findDeployment(client: CloudFormationClient, region: string, name?: string): Promise<Deployment> {
  const asked = name === undefined ? null : (NAME.exec(name)?.[1] ?? null)
  if (name !== undefined && asked === null)
    throw new WaybillError('BAD_INPUT', `--stack takes what a stage's stacks begin with, such as Waybill-prod; "${name}" is not that.`)
  const stacks = (await describeAll(client, region)).flatMap((stack) => {
    const [, base, part] = NAME.exec(stack.StackName ?? '') ?? []
    return base === undefined || part === undefined || stack.StackStatus === 'DELETE_COMPLETE'
      ? []
      : [{ base, part: part as StackName, stack }]
  })
  const found = [...new Set(stacks.map(({ base }) => base))].sort()
  const base = asked ?? found[0]
  if (base === undefined || !found.includes(base))
    throw new WaybillError(
      'NOT_FOUND',
      `There is no ${asked ?? 'Waybill'} in the region ${region} of this account${found.length > 0 ? `, but ${found.join(', ')}` : ''}. Is it the right --profile and --region? docs/deploy.md deploys one.`,
    )
  if (asked === null && found.length > 1)
    throw new WaybillError('BAD_INPUT', `There are ${found.join(' and ')} in the region ${region}. Say which: --stack ${base}`)
  return deploymentOf(
    base,
    region,
    stacks.filter((each) => each.base === base),
  )
}

/** @throws CONFLICT with what is missing, and what to do about it */
export function outputsOf(deployment: Deployment): Outputs {
  if (deployment.outputs !== null) return deployment.outputs
  throw new WaybillError(
    'CONFLICT',
    `${deployment.name} is half deployed: ${deployment.missing.join('; ')}. Deploy it again (docs/deploy.md); waybill doctor --aws says more.`,
  )
}

async function describeAll(client: CloudFormationClient, region: string): Promise<Stack[]> {
  const stacks: Stack[] = []
  let token: string | undefined
  do {
    const page = await client.send(new DescribeStacksCommand(token === undefined ? {} : { NextToken: token })).catch((error: unknown) => {
      throw asSessionError(error, 'Looking for the stacks', region)
    })
    stacks.push(...(page.Stacks ?? []))
    token = page.NextToken
  } while (token !== undefined)
  return stacks
}

function deploymentOf(name: string, region: string, found: readonly { part: StackName; stack: Stack }[]): Deployment {
  const stackOf = (part: StackName) => found.find((each) => each.part === part)?.stack
  const missing: string[] = []
  const read = <S extends z.ZodType>(part: StackName, schema: S): z.infer<S> | null => {
    const stack = stackOf(part)
    if (stack === undefined) {
      missing.push(`the stack ${name}-${part} is not there`)
      return null
    }
    const given = Object.fromEntries((stack.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]))
    const parsed = schema.safeParse(given)
    if (parsed.success) return parsed.data
    const names = [...new Set(parsed.error.issues.map(({ path }) => String(path[0])))]
    missing.push(`${name}-${part} (${stack.StackStatus}) has no usable output ${names.join(', ')}`)
    return null
  }
  const state = read('State', OUTPUTS.State)
  const network = read('Network', OUTPUTS.Network)
  const pipeline = read('Pipeline', OUTPUTS.Pipeline)
  return {
    name,
    account: found[0]?.stack.StackId?.split(':')[4] ?? '',
    region,
    stacks: {
      State: stackOf('State')?.StackStatus ?? null,
      Network: stackOf('Network')?.StackStatus ?? null,
      Pipeline: stackOf('Pipeline')?.StackStatus ?? null,
      Observability: stackOf('Observability')?.StackStatus ?? null,
    },
    outputs: state === null || network === null || pipeline === null ? null : { ...state, ...network, ...pipeline },
    missing,
  }
}
