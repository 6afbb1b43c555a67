import { type EvaluationResult, runSimulation, type Simulation } from '@cloud-copilot/iam-simulate'
import type { Template } from 'aws-cdk-lib/assertions'
import type { Synthesis } from '../synth.ts'

const PARTITION = 'aws'
const REGION = 'eu-central-1'
export const ACCOUNT = '111122223333'

type Resource = { Type: string; Properties: Record<string, unknown> }
type Policy = { Version: string; Statement: unknown[] }
/** IAM holds the root of an account back from nothing; only what a resource itself says does. */
const EVERYTHING: Policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }
export type Role = { id: string; arn: string; identity: Policy[]; boundary: Policy | null; trustedService: string }
type Question = { role: Role | 'root'; action: string; resource: string; context?: Record<string, string | string[]> }

/** The four stacks as one account would hold them: every role with its policies and boundary, every resource under an ARN, with its own policy. */
export type Account = {
  roles: readonly Role[]
  role(name: string): Role
  /** ARNs of a CloudFormation type, by logical id without its hash. */
  arns(type: string): ReadonlyMap<string, string>
  arn(type: string, id: RegExp): string
  /** What IAM answers, from identity policies, boundary and the resource's own policy. @throws Error when the question itself is invalid */
  ask(question: Question): Promise<EvaluationResult>
}

export function accountOf(synthesis: Synthesis): Account {
  const templates = [synthesis.state, synthesis.network, synthesis.pipeline, synthesis.observability]
  const resources = new Map<string, Resource>(
    templates.flatMap((template) => Object.entries(template.toJSON().Resources as Record<string, Resource>)),
  )
  const exported = exportsOf(templates)
  const value = (of: unknown): unknown => resolved(of, resources, exported)
  const policyOf = (document: unknown) => value(document) as Policy

  const ofType = (type: string) => [...resources].filter(([, resource]) => resource.Type === type)
  const attached = ofType('AWS::IAM::Policy').map(([, { Properties }]) => ({
    roles: (Properties.Roles as unknown[]).map((role) => String(value(role))),
    document: policyOf(Properties.PolicyDocument),
  }))
  const roles = ofType('AWS::IAM::Role').map(([id, { Properties }]): Role => {
    const boundary = Properties.PermissionsBoundary as { Ref: string } | undefined
    const trust = policyOf(Properties.AssumeRolePolicyDocument).Statement[0] as { Principal: { Service?: string } }
    return {
      id,
      arn: arnOf(id, resources, exported),
      identity: attached.filter((each) => each.roles.includes(nameOf(id))).map(({ document }) => document),
      boundary: boundary === undefined ? null : policyOf(resources.get(boundary.Ref)?.Properties.PolicyDocument),
      trustedService: String(trust.Principal.Service),
    }
  })

  const resourcePolicies = new Map<string, Policy>()
  for (const [id, { Properties }] of ofType('AWS::KMS::Key'))
    resourcePolicies.set(arnOf(id, resources, exported), policyOf(Properties.KeyPolicy))
  for (const [, { Properties }] of ofType('AWS::S3::BucketPolicy'))
    resourcePolicies.set(`arn:${PARTITION}:s3:::${String(value(Properties.Bucket))}`, policyOf(Properties.PolicyDocument))

  const arns = (type: string) => new Map(ofType(type).map(([id]) => [id, arnOf(id, resources, exported)]))
  return {
    roles,
    role(name) {
      const found = roles.filter(({ id }) => new RegExp(`^${name}Role[0-9A-F]{8,}$`).test(id))
      if (found.length !== 1) throw new Error(`${found.length} roles are called ${name}`)
      return found[0]!
    },
    arns,
    arn(type, id) {
      const found = [...arns(type)].filter(([each]) => id.test(each))
      if (found.length !== 1) throw new Error(`${found.length} resources of ${type} are called ${id}`)
      return found[0]![1]
    },
    async ask({ role, action, resource: asked, context }) {
      // The service reference knows no resource for these, though the service checks the state machine: whoever holds the action on anything counts.
      const widened = /^states:SendTask/.test(action)
      const resource = widened ? '*' : asked
      const held = (policies: readonly Policy[]) => (widened ? policies.map(onEverything) : policies)
      const own = [...resourcePolicies].find(([arn]) => resource === arn || resource.startsWith(`${arn}/`))?.[1]
      const simulation: Simulation = {
        request: {
          action,
          principal: role === 'root' ? `arn:${PARTITION}:iam::${ACCOUNT}:root` : role.arn,
          resource: { resource, accountId: ACCOUNT },
          contextVariables: { 'aws:SecureTransport': 'true', ...context },
        },
        identityPolicies: held(role === 'root' ? [EVERYTHING] : role.identity).map((policy, i) => ({ name: `${i}`, policy })),
        serviceControlPolicies: [],
        resourceControlPolicies: [],
        ...(role === 'root' || role.boundary === null ? {} : { permissionBoundaryPolicies: [{ name: 'boundary', policy: role.boundary }] }),
        ...(own === undefined ? {} : { resourcePolicy: own }),
      }
      const answer = await runSimulation(simulation, {})
      if (answer.resultType === 'error') throw new Error(`${action} on ${resource}: ${JSON.stringify(answer.errors)}`)
      return answer.overallResult
    },
  }
}

function onEverything(policy: Policy): Policy {
  return { ...policy, Statement: policy.Statement.map((statement) => ({ ...(statement as object), Resource: '*' })) }
}

function exportsOf(templates: readonly Template[]): Map<string, unknown> {
  return new Map(
    templates.flatMap((template) =>
      Object.values((template.toJSON().Outputs ?? {}) as Record<string, { Value: unknown; Export?: { Name: string } }>).flatMap((output) =>
        output.Export === undefined ? [] : [[output.Export.Name, output.Value] as const],
      ),
    ),
  )
}

/** A CloudFormation value as it would be in the account. @throws Error for a function that is not known here: an unresolved ARN must not pass as "denied" */
function resolved(value: unknown, resources: ReadonlyMap<string, Resource>, exported: ReadonlyMap<string, unknown>): unknown {
  const again = (of: unknown) => resolved(of, resources, exported)
  if (Array.isArray(value)) return value.map(again)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  const [name, argument] = entries[0] ?? ['', null]
  if (entries.length !== 1 || !/^(Ref|Fn::\w+)$/.test(name)) return Object.fromEntries(entries.map(([key, each]) => [key, again(each)]))
  if (name === 'Ref') return reference(String(argument), resources, exported)
  if (name === 'Fn::Join') {
    const [delimiter, items] = argument as [string, unknown[]]
    return items.map(again).join(delimiter)
  }
  if (name === 'Fn::ImportValue') {
    const key = String(again(argument))
    if (!exported.has(key)) throw new Error(`Nothing is exported as ${key}`)
    return again(exported.get(key))
  }
  if (name === 'Fn::Select') {
    const [index, items] = argument as [number, unknown]
    return (again(items) as unknown[])[Number(index)]
  }
  if (name === 'Fn::Split') {
    const [delimiter, text] = argument as [string, unknown]
    return String(again(text)).split(delimiter)
  }
  if (name === 'Fn::GetAtt') {
    const [id, attribute] = argument as [string, string]
    const arn = arnOf(id, resources, exported)
    return attribute === 'Arn' || /Arn$/.test(attribute) ? arn : `${id}.${attribute}`
  }
  throw new Error(`${name} is not resolved here`)
}

function reference(id: string, resources: ReadonlyMap<string, Resource>, exported: ReadonlyMap<string, unknown>): string {
  const pseudo: Record<string, string> = {
    'AWS::Partition': PARTITION,
    'AWS::Region': REGION,
    'AWS::AccountId': ACCOUNT,
    'AWS::StackId': `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/Waybill/0a1b2c3d`,
  }
  if (id in pseudo) return pseudo[id]!
  const type = resources.get(id)?.Type
  if (type === undefined) throw new Error(`Ref to ${id}, which is no resource`)
  // These resources are referred to by ARN, the others by name.
  if (
    /^AWS::(SecretsManager::Secret|ECS::TaskDefinition|Lambda::Version|StepFunctions::StateMachine|IAM::ManagedPolicy|SNS::Topic)$/.test(
      type,
    )
  )
    return arnOf(id, resources, exported)
  if (type === 'AWS::S3::Bucket') return bucketName(id, resources, exported)
  return nameOf(id)
}

function nameOf(id: string): string {
  return id.slice(0, 60)
}

function bucketName(id: string, resources: ReadonlyMap<string, Resource>, exported: ReadonlyMap<string, unknown>): string {
  const given = resources.get(id)!.Properties.BucketName
  return given === undefined ? nameOf(id).toLowerCase() : String(resolved(given, resources, exported))
}

function arnOf(id: string, resources: ReadonlyMap<string, Resource>, exported: ReadonlyMap<string, unknown>): string {
  const { Type, Properties } = resources.get(id)!
  const text = (property: string) => {
    const given = Properties[property]
    return given === undefined ? nameOf(id) : String(resolved(given, resources, exported))
  }
  const arn = (service: string, rest: string, region = REGION) => `arn:${PARTITION}:${service}:${region}:${ACCOUNT}:${rest}`
  switch (Type) {
    case 'AWS::IAM::Role':
      return arn('iam', `role/${nameOf(id)}`, '')
    case 'AWS::IAM::ManagedPolicy':
      return arn('iam', `policy/${nameOf(id)}`, '')
    case 'AWS::KMS::Key': {
      const digits = [...id]
        .map((letter) => letter.charCodeAt(0).toString(16))
        .join('')
        .padEnd(32, '0')
        .slice(-32)
      return arn('kms', `key/${digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')}`)
    }
    case 'AWS::S3::Bucket':
      return `arn:${PARTITION}:s3:::${bucketName(id, resources, exported)}`
    case 'AWS::DynamoDB::Table':
      return arn('dynamodb', `table/${text('TableName')}`)
    case 'AWS::SecretsManager::Secret':
      return arn('secretsmanager', `secret:${text('Name')}-AbCdEf`)
    case 'AWS::Lambda::Function':
      return arn('lambda', `function:${text('FunctionName')}`)
    case 'AWS::Lambda::Version':
      return arn('lambda', `function:${String(resolved(Properties.FunctionName, resources, exported)).replace(/^.*:/, '')}:1`)
    case 'AWS::ECS::Cluster':
      return arn('ecs', `cluster/${text('ClusterName')}`)
    case 'AWS::ECS::TaskDefinition':
      return arn('ecs', `task-definition/${text('Family')}:1`)
    case 'AWS::StepFunctions::StateMachine':
      return arn('states', `stateMachine:${text('StateMachineName')}`)
    case 'AWS::SQS::Queue':
      return arn('sqs', text('QueueName'))
    case 'AWS::SNS::Topic':
      return arn('sns', nameOf(id))
    case 'AWS::ECR::Repository':
      return arn('ecr', `repository/${text('RepositoryName')}`)
    case 'AWS::Logs::LogGroup':
      return arn('logs', `log-group:${text('LogGroupName')}:*`)
    default:
      return arn('unknown', `${Type}/${id}`)
  }
}
