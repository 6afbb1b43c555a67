/** docs/deploy.md against what is synthesised: whoever follows it finds every stack, output, parameter, secret and setting under the name it has there. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Template } from 'aws-cdk-lib/assertions'
import { beforeAll, describe, expect, it } from 'vitest'
import { LAMBDA_FUNCTIONS, ROOT } from '../../infra/build.ts'
import { configFor, dev } from '../../infra/config.ts'
import { secretsManagerSecrets } from '../../layers/aws/secrets.ts'
import { DATABASE_USERS } from '../../layers/core/names.ts'
import { resourcesOf, type Synthesis, synthesise } from '../infra/synth.ts'

const text = readFileSync(join(ROOT, 'docs/deploy.md'), 'utf8')
const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, block]) => block!)
const shell = blocks('sh').join('\n')
const settings = JSON.parse(blocks('json')[0]!) as Record<string, unknown>

let made: Synthesis
let prod: Synthesis
const templateOf = (stack: string): Template | undefined =>
  ({ State: made.state, Network: made.network, Pipeline: made.pipeline, Observability: made.observability })[
    stack.replace(/^Waybill-dev-/, '')
  ]

beforeAll(() => {
  // With everything that a command on the page asks for, also what the first example leaves out.
  made = synthesise('dev', undefined, { ...settings, signIn: { directory: { domainPrefix: 'acme-waybill' } } })
  prod = synthesise('prod')
}, 300_000)

describe('docs/deploy.md', () => {
  it('is shell that a shell can read', () => {
    for (const block of blocks('sh')) {
      const { status, stderr } = spawnSync('bash', ['-n'], { input: block, encoding: 'utf8' })
      expect([block, status, stderr]).toEqual([block, 0, ''])
    }
  })

  it('shows settings that are accepted, by both stages', () => {
    for (const stage of ['dev', 'prod']) expect(configFor(stage, settings)).toMatchObject({ ...settings, stage })
  })

  it('explains every setting that there is, and no other', () => {
    const table = text.slice(text.indexOf('| field '), text.indexOf('Think about'))
    const named = new Set(
      [...table.matchAll(/^\| ([^|]+)\|/gm)].flatMap(([, cell]) => [...cell!.matchAll(/`([a-zA-Z]+)/g)].map(([, name]) => name!)),
    )
    // `zones` stands beside `network.cidr`; the stage itself is no setting.
    named.delete('zones')
    expect([...named].sort()).toEqual(
      Object.keys(dev)
        .filter((name) => name !== 'stage')
        .sort(),
    )
    expect(table).toContain('`network.databases`')
  })

  it('names stacks that there are, and deploys each after what it stands on', () => {
    const named = [...text.matchAll(/Waybill-dev-(\w+)/g)].map(([, name]) => name!)
    expect(new Set(named)).toEqual(new Set(['State', 'Network', 'Pipeline', 'Observability']))
    const deployed = [...shell.matchAll(/^npx cdk deploy (.*?) -c/gm)].flatMap(([, list]) => list!.split(' '))
    // All at once where something is changed later: then everything stands already. Or the pipeline first, which test/infra/config.test.ts shows to stand.
    expect(deployed.splice(-4)).toEqual(['--all', '--exclusively', 'Waybill-dev-Pipeline', '--all'])
    expect(deployed).toEqual(['Waybill-dev-State', 'Waybill-dev-Network', 'Waybill-dev-Pipeline', 'Waybill-dev-Observability'])
    const destroyed = [...shell.matchAll(/^npx cdk destroy (.*?) -c/gm)].flatMap(([, list]) => list!.split(' '))
    expect(destroyed.toSorted()).toEqual(deployed.toSorted())
    expect(destroyed.at(-1)).toBe('Waybill-dev-State')
  })

  it('asks for outputs that the stack has', () => {
    const asked = [
      ...shell.matchAll(
        /--stack-name (\S+) --query "Stacks\[0\]\.Outputs\[\?(?:OutputKey=='([^']+)'|starts_with\(OutputKey, '(\w+)'\))\]/g,
      ),
    ]
    expect(asked.length).toBeGreaterThan(4)
    expect(shell.match(/describe-stacks/g)).toHaveLength(asked.length)
    for (const [, stack, name, prefix] of asked) {
      const outputs = Object.keys(templateOf(stack!)?.findOutputs('*') ?? {})
      if (prefix !== undefined) expect(outputs.filter((each) => each.startsWith(prefix))).toHaveLength(3)
      else for (const each of purposes(name!)) expect(outputs, stack).toContain(each)
    }
  })

  it('gives parameters that the stack takes, all that have no default', () => {
    const given = [...shell.matchAll(/--parameters (\S+?):(\w+)=/g)].map(([, stack, name]) => [stack!, name!] as const)
    const wanted = ['State', 'Network', 'Pipeline', 'Observability'].flatMap((stack) =>
      Object.entries(templateOf(stack)!.findParameters('*'))
        .filter(([, parameter]) => parameter.Default === undefined)
        .map(([name]) => [`Waybill-dev-${stack}`, name] as const),
    )
    expect([...new Map(given.map((one) => [one.join(), one])).values()]).toEqual(wanted)
  })

  it('makes secrets that a spec leads to, in the form that it says', async () => {
    const lines = new Map([...text.matchAll(/^\| `(\w+\.url)` +\| `(\S+)` +\|$/gm)].map(([, file, line]) => [file!, line!]))
    const created = [...shell.matchAll(/create-secret --name (\S+) --secret-string (.*)$/gm)]
    // Never on the command line, where a history keeps it and a list of processes shows it.
    for (const [, name, from] of created) expect([name, from]).toEqual([name, expect.stringMatching(/^file:\/\//)])
    const secrets = created.map(([all, name, from]) => [all, name!, lines.get(from!.replace('file://secrets/', ''))!] as const)
    const asked: string[] = []
    const client = { send: async ({ input }: { input: { SecretId: string } }) => ({ SecretString: asked.push(input.SecretId).toString() }) }
    for (const targetAccess of ['reader', 'writer'] as const) {
      const port = secretsManagerSecrets({ client: client as never, prefix: 'waybill/dev', targetAccess })
      for (const side of ['source', 'target']) await port.resolve(`aws-secretsmanager://waybill/dev/${side}/orders`)
    }
    expect(secrets.map(([, name]) => name).sort()).toEqual([...new Set(asked)].sort())
    const prefix = made.state.findOutputs('SecretsPrefix').SecretsPrefix!.Value as string
    for (const [, name, url] of secrets) {
      expect(name!.startsWith(`${prefix}/`)).toBe(true)
      expect(new URL(url!).protocol).toBe('postgresql:')
    }
  })

  it('makes database users by the names that tokens are for', () => {
    for (const user of Object.values(DATABASE_USERS)) expect(text).toContain(`\`${user}\``)
    for (const [, user] of blocks('sql')
      .join('\n')
      .matchAll(/CREATE ROLE (\w+)/g))
      expect(Object.values(DATABASE_USERS)).toContain(user)
  })

  it('names the image repository, the functions and the address ranges as they are deployed', () => {
    const [[, repository] = []] = resourcesOf(made.state, 'AWS::ECR::Repository')
    for (const [, name] of shell.matchAll(/--repository-names? (\S+)/g)) expect(name).toBe(repository!.Properties.RepositoryName)
    const [[, vpc] = []] = resourcesOf(made.network, 'AWS::EC2::VPC')
    for (const [, range] of shell.matchAll(/--(?:destination-cidr-block|cidr) (\S+)/g)) expect(range).toBe(vpc!.Properties.CidrBlock)
    for (const name of ['discover', 'profile', 'plan-chunks']) expect(LAMBDA_FUNCTIONS).toContain(name)
    const [first] = /node:\d[\w.-]+@sha256:[0-9a-f]{64}/.exec(readFileSync(join(ROOT, 'infra/worker/Dockerfile'), 'utf8'))!
    for (const [tag] of text.matchAll(/node:\d[\d.]+-bookworm-slim/g)) expect(first.startsWith(tag)).toBe(true)
  })

  it('leads to files that there are', () => {
    const made = ['infra/settings.dev.json', 'infra/policy.json', 'infra/certificates.pem']
    for (const [path] of text.matchAll(/\b(?:infra|docs|test)\/[\w./-]*\w/g))
      if (!made.includes(path)) expect([path, existsSync(join(ROOT, path))]).toEqual([path, true])
    for (const [, link] of text.matchAll(/\]\(([\w.-]+\.md)/g)) expect(existsSync(join(ROOT, 'docs', link!)), link).toBe(true)
  })

  it('asks for the concurrency that a stage reserves, and 100 besides, which Lambda keeps for the others', () => {
    const reserved = resourcesOf(prod.pipeline, 'AWS::Lambda::Function').map(
      ([, { Properties }]) => Properties.ReservedConcurrentExecutions,
    )
    const sum = reserved.reduce<number>((total, each) => total + Number(each ?? 0), 0)
    expect(text).toContain(`${sum} in \`prod\`, so ${sum + 100}`)
  })

  it('names every endpoint that a zone must have', () => {
    const services = String(prod.network.findOutputs('EndpointServices').EndpointServices!.Value).split(',').slice(2)
    const section = text.slice(text.indexOf('**Zones.**'), text.indexOf('**Databases with a CA'))
    expect(services).toHaveLength(6)
    for (const service of services) expect(section).toMatch(new RegExp(`[.\`]${service.replace('.', '\\.')}[\` ]`))
  })

  it('calls only operations that the services have', async () => {
    const called = [...shell.matchAll(/\baws ([a-z0-9-]+) ([a-z-]+)/g)].map(([, service, operation]) => [service!, operation!] as const)
    expect(called.length).toBeGreaterThan(12)
    const clients: Record<string, () => Promise<object>> = {
      cloudformation: () => import('@aws-sdk/client-cloudformation'),
      ec2: () => import('@aws-sdk/client-ec2'),
      kms: () => import('@aws-sdk/client-kms'),
      secretsmanager: () => import('@aws-sdk/client-secrets-manager'),
      sesv2: () => import('@aws-sdk/client-sesv2'),
    }
    // No client of these is installed; the few operations are looked up by hand.
    const known = [
      'sts get-caller-identity',
      'ecr describe-repositories',
      'ecr get-login-password',
      'ecr describe-images',
      'rds describe-db-instances',
      'service-quotas get-service-quota',
      'cognito-idp admin-create-user',
    ]
    for (const [service, operation] of called) {
      const client = clients[service]
      if (client === undefined) expect(known).toContain(`${service} ${operation}`)
      else {
        const name = operation.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase())
        expect(Object.keys(await client()), `aws ${service} ${operation}`).toContain(`${name}Command`)
      }
    }
  })

  it('counts what is billed while nothing runs, adds it up, and leaves no kind of resource out', () => {
    const section = text.slice(text.indexOf('## What it costs while nothing runs'), text.indexOf('## What does not work'))
    const rows = [...section.matchAll(/^\| (.+?) +\| +(\d+) \| +(\d+) \| +([\d.]+) \| +([\d.]+) \| +([\d.]+) \| /gm)]
    const counts = [made, prod].map((synthesis) => {
      const all = [synthesis.state, synthesis.network, synthesis.pipeline, synthesis.observability].flatMap((template) =>
        Object.values(template.toJSON().Resources as Record<string, { Type: string; Properties?: Record<string, unknown> }>),
      )
      for (const { Type } of all) expect([...Object.keys(STANDING), ...BY_USE, ...FREE], 'is it billed?').toContain(Type)
      const keys = all.filter(({ Type, Properties }) => Type === 'AWS::KMS::Key' && Properties?.EnableKeyRotation === true)
      expect(section).toContain(`Of these ${keys.length} rotate`)
      return Object.entries(STANDING).map(([type, many]) =>
        all.filter(({ Type }) => Type === type).reduce((sum, { Properties }) => sum + many(Properties ?? {}), 0),
      )
    })
    expect(rows.map(([, , dev, prod]) => [Number(dev), Number(prod)])).toEqual(counts[0]!.map((_, i) => counts.map((of) => of[i])))
    const cents = (dollars: string) => Math.round(Number(dollars) * 100)
    for (const [, what, dev, prod, each, inDev, inProd] of rows)
      expect([what, cents(inDev!), cents(inProd!)]).toEqual([what, Number(dev) * cents(each!), Number(prod) * cents(each!)])
    const [, ...totals] = /\*\*together\*\*.*\*\*([\d.]+)\*\*.*\*\*([\d.]+)\*\*/.exec(section)!
    const sums = [5, 6].map((column) => rows.reduce((sum, row) => sum + cents(row[column]!), 0))
    expect(totals.map(cents)).toEqual(sums)
  })

  it('says of teardown what the templates do', () => {
    // Progress is for who watches, and no evidence: it goes in both stages.
    const policies = (synthesis: Synthesis, type: string) =>
      new Set(resourcesOf(synthesis.state, type).flatMap(([id, { DeletionPolicy }]) => (id.startsWith('Progress') ? [] : [DeletionPolicy])))
    const inProd = {
      'AWS::KMS::Key': 'Retain',
      'AWS::DynamoDB::Table': 'Retain',
      'AWS::SecretsManager::Secret': 'RetainExceptOnCreate',
      'AWS::S3::Bucket': 'RetainExceptOnCreate',
      'AWS::ECR::Repository': 'RetainExceptOnCreate',
    }
    for (const [type, policy] of Object.entries(inProd)) {
      expect([type, policies(made, type)]).toEqual([type, new Set(['Delete'])])
      expect([type, policies(prod, type)]).toEqual([type, new Set([policy])])
    }
    // Alarms and all that is theirs go in both stages.
    for (const { observability } of [made, prod])
      for (const { Type, DeletionPolicy } of Object.values(observability.toJSON().Resources as Record<string, Record<string, unknown>>))
        expect([Type, DeletionPolicy ?? 'Delete']).toEqual([Type, 'Delete'])
    // CloudFormation's own default for a deleted key is 30 days.
    for (const [id, { Properties }] of resourcesOf(made.state, 'AWS::KMS::Key')) expect(Properties.PendingWindowInDays ?? 30, id).toBe(30)
    const [[, repository] = []] = resourcesOf(made.state, 'AWS::ECR::Repository')
    expect(repository!.Properties.EmptyOnDelete).toBe(true)
    for (const type of ['AWS::Lambda::LayerVersion', 'AWS::ECS::TaskDefinition'])
      for (const [id, { DeletionPolicy }] of resourcesOf(made.pipeline, type)) expect([id, DeletionPolicy]).toEqual([id, 'Retain'])
  })
}, 60_000)

/** Billed while it stands, in the order of the table, and how many of the billed thing one resource is. */
const STANDING: Record<string, (properties: Record<string, unknown>) => number> = {
  'AWS::KMS::Key': () => 1,
  'AWS::EC2::VPCEndpoint': ({ VpcEndpointType, SubnetIds }) => (VpcEndpointType === 'Interface' ? (SubnetIds as unknown[]).length : 0),
  'AWS::SecretsManager::Secret': () => 1,
  'AWS::CloudWatch::Alarm': () => 1,
  'AWS::CloudWatch::Dashboard': () => 1,
}
/** Billed by what is kept in it, or by what it does. */
const BY_USE = [
  ...['AWS::S3::Bucket', 'AWS::DynamoDB::Table', 'AWS::Logs::LogGroup', 'AWS::ECR::Repository', 'AWS::EC2::FlowLog'],
  ...['AWS::Cognito::UserPool', 'AWS::SQS::Queue', 'AWS::SNS::Topic', 'AWS::ApiGatewayV2::Api', 'AWS::Scheduler::Schedule'],
  ...['AWS::Lambda::Function', 'AWS::StepFunctions::StateMachine', 'AWS::ECS::Cluster', 'AWS::SES::EmailIdentity'],
]
const FREE = [
  ...['AWS::KMS::Alias', 'AWS::IAM::Role', 'AWS::IAM::Policy', 'AWS::IAM::ManagedPolicy', 'AWS::S3::BucketPolicy'],
  ...['AWS::SQS::QueuePolicy', 'AWS::SNS::TopicPolicy', 'AWS::SNS::Subscription', 'AWS::Scheduler::ScheduleGroup'],
  ...['AWS::Cognito::UserPoolDomain', 'AWS::Cognito::UserPoolClient', 'AWS::ECS::TaskDefinition'],
  ...['AWS::EC2::VPC', 'AWS::EC2::Subnet', 'AWS::EC2::RouteTable', 'AWS::EC2::SubnetRouteTableAssociation', 'AWS::EC2::Route'],
  ...['AWS::EC2::SecurityGroup', 'AWS::EC2::SecurityGroupIngress', 'AWS::EC2::VPCPeeringConnection'],
  ...['AWS::Lambda::Permission', 'AWS::Lambda::Version', 'AWS::Lambda::LayerVersion'],
  ...['AWS::ApiGatewayV2::Integration', 'AWS::ApiGatewayV2::Route', 'AWS::ApiGatewayV2::Stage'],
]

const PURPOSE = /\$\{PURPOSE\}/

/** `${PURPOSE}KeyArn` stands for one output a turn of the loop around it. */
function purposes(name: string): string[] {
  if (!PURPOSE.test(name)) return [name]
  const [, list = ''] = /for PURPOSE in ([A-Za-z ]+);/.exec(shell) ?? []
  return list.split(' ').map((purpose) => name.replace(PURPOSE, purpose))
}
