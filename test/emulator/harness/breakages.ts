import {
  AttachInternetGatewayCommand,
  CreateInternetGatewayCommand,
  CreateRouteCommand,
  CreateVpcEndpointCommand,
  DeleteRouteCommand,
  DeleteVpcEndpointsCommand,
  DescribeRouteTablesCommand,
  DescribeVpcEndpointsCommand,
  EC2Client,
} from '@aws-sdk/client-ec2'
import { DeregisterTaskDefinitionCommand, ECSClient, ListTaskDefinitionsCommand } from '@aws-sdk/client-ecs'
import {
  CreateGrantCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  GetKeyPolicyCommand,
  type GrantOperation,
  KMSClient,
  PutKeyPolicyCommand,
  RevokeGrantCommand,
} from '@aws-sdk/client-kms'
import {
  DeleteBucketPolicyCommand,
  GetBucketPolicyCommand,
  type ObjectLockRetentionMode,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
} from '@aws-sdk/client-s3'
import {
  GetScheduleCommand,
  ListSchedulesCommand,
  SchedulerClient,
  type ScheduleState,
  UpdateScheduleCommand,
} from '@aws-sdk/client-scheduler'
import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { CreateEmailIdentityCommand, DeleteEmailIdentityCommand, PutAccountDetailsCommand, SESv2Client } from '@aws-sdk/client-sesv2'
import { dev } from '../../../infra/config.ts'
import type { MacPurpose } from '../../../layers/core/names.ts'
import type { Account } from './account.ts'

export type GitAnswers = Record<string, unknown>

/** One way to spoil a deployed account. `harm` gives what mends it, where it can be mended. */
export type Breakage = {
  name: string
  check: string
  verdict: 'warn' | 'fail'
  says: RegExp
  harm(): Promise<(() => Promise<unknown>) | undefined>
}

/** Changes the nightly schedule. Gives what changes it back. */
export async function changeSchedule(
  { ScheduleGroupName: GroupName }: Readonly<Record<string, string>>,
  change: { ScheduleExpressionTimezone?: string; State?: ScheduleState },
): Promise<() => Promise<unknown>> {
  const scheduler = new SchedulerClient({})
  const { Schedules = [] } = await scheduler.send(new ListSchedulesCommand({ GroupName }))
  const { Name, ScheduleExpression, ScheduleExpressionTimezone, State, FlexibleTimeWindow, Target } = await scheduler.send(
    new GetScheduleCommand({ Name: Schedules[0]!.Name, GroupName }),
  )
  const before = { Name, GroupName, ScheduleExpression, ScheduleExpressionTimezone, State, FlexibleTimeWindow, Target }
  await scheduler.send(new UpdateScheduleCommand({ ...before, ...change }))
  return () => scheduler.send(new UpdateScheduleCommand(before))
}

/** Everything that the doctor can see wrong and that the emulator can be made to do. What cannot be mended comes last. */
export function breakages(account: Account, git: { answers: GitAnswers }, guarded: GitAnswers): Breakage[] {
  const { s3, bucket: Bucket } = account
  const outputs = account.deployment.outputs as Record<string, string>
  const [ec2, kms, ses, secrets, ecs] = [
    new EC2Client({}),
    new KMSClient({}),
    new SESv2Client({}),
    new SecretsManagerClient({}),
    new ECSClient({}),
  ]
  const inVpc = [{ Name: 'vpc-id', Values: [outputs.VpcId!] }]
  const lock = (Mode: ObjectLockRetentionMode, Days: number) =>
    s3.send(
      new PutObjectLockConfigurationCommand({
        Bucket,
        ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention: { Mode, Days } } },
      }),
    )
  const production = (ProductionAccessEnabled: boolean) =>
    ses.send(new PutAccountDetailsCommand({ MailType: 'TRANSACTIONAL', WebsiteURL: 'https://example.com', ProductionAccessEnabled }))
  const macKeys = JSON.parse(outputs.MacKeyUsers!) as Record<MacPurpose, { key: string; makers: string[]; checkers: string[] }>
  const tokenKey = JSON.parse(outputs.TokenKeyUsers!) as { key: string; sealers: string[]; openers: string[] }
  const keyPolicy = async (KeyId: string, change: (policy: { Statement: Record<string, unknown>[] }) => void) => {
    const { Policy } = await kms.send(new GetKeyPolicyCommand({ KeyId, PolicyName: 'default' }))
    const changed = JSON.parse(Policy!) as { Statement: Record<string, unknown>[] }
    change(changed)
    await kms.send(new PutKeyPolicyCommand({ KeyId, PolicyName: 'default', Policy: JSON.stringify(changed) }))
    return () => kms.send(new PutKeyPolicyCommand({ KeyId, PolicyName: 'default', Policy }))
  }
  const alsoAllowing = (KeyId: string, Principal: unknown, Action: string) => () =>
    keyPolicy(KeyId, ({ Statement }) => Statement.push({ Effect: 'Allow', Principal, Action, Resource: '*' }))
  const granted = (KeyId: string, operation: GrantOperation) => async () => {
    const { GrantId } = await kms.send(new CreateGrantCommand({ KeyId, GranteePrincipal: tokenKey.sealers[0], Operations: [operation] }))
    return () => kms.send(new RevokeGrantCommand({ KeyId, GrantId }))
  }
  const root = { AWS: 'arn:aws:iam::000000000000:root' }
  const answering = (answers: GitAnswers) => async () => {
    git.answers = answers
    return async () => {
      git.answers = guarded
    }
  }
  const repository = (permissions: object) => ({ ...guarded, '': { default_branch: 'main', permissions } })

  return [
    {
      ...{ name: 'the sender was never verified', check: 'sender', verdict: 'fail', says: /does not know/ },
      async harm() {
        await ses.send(new DeleteEmailIdentityCommand({ EmailIdentity: dev.mailFrom }))
        return () => ses.send(new CreateEmailIdentityCommand({ EmailIdentity: dev.mailFrom }))
      },
    },
    {
      ...{ name: 'SES is in its sandbox', check: 'sandbox', verdict: 'warn', says: /sandbox/ },
      async harm() {
        await production(false)
        return () => production(true)
      },
    },
    {
      ...{ name: 'an endpoint is gone', check: 'endpoints', verdict: 'fail', says: /cannot reach kms:/ },
      async harm() {
        const { VpcEndpoints = [] } = await ec2.send(new DescribeVpcEndpointsCommand({ Filters: inVpc }))
        const { VpcEndpointId, ServiceName, VpcId } = VpcEndpoints.find((each) => each.ServiceName?.endsWith('.kms'))!
        await ec2.send(new DeleteVpcEndpointsCommand({ VpcEndpointIds: [VpcEndpointId!] }))
        return () => ec2.send(new CreateVpcEndpointCommand({ ServiceName, VpcId, VpcEndpointType: 'Interface' }))
      },
    },
    {
      ...{ name: 'a subnet leads to the internet', check: 'subnets', verdict: 'fail', says: /send data out: subnet-\w+ by igw-/ },
      async harm() {
        const { InternetGateway } = await ec2.send(new CreateInternetGatewayCommand({}))
        const GatewayId = InternetGateway!.InternetGatewayId
        await ec2.send(new AttachInternetGatewayCommand({ InternetGatewayId: GatewayId, VpcId: outputs.VpcId }))
        const { RouteTables = [] } = await ec2.send(new DescribeRouteTablesCommand({ Filters: inVpc }))
        const used = outputs.WorkerSubnetIds!.split(',')
        const { RouteTableId } = RouteTables.find(({ Associations }) =>
          Associations?.some(({ SubnetId }) => used.includes(SubnetId ?? '')),
        )!
        const route = { RouteTableId, DestinationCidrBlock: '0.0.0.0/0' }
        await ec2.send(new CreateRouteCommand({ ...route, GatewayId }))
        return () => ec2.send(new DeleteRouteCommand(route))
      },
    },
    {
      ...{ name: 'the bucket keeps no versions', check: 'versions', verdict: 'fail', says: /Suspended/ },
      async harm() {
        const put = (Status: 'Suspended' | 'Enabled') =>
          s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }))
        await put('Suspended')
        return () => put('Enabled')
      },
    },
    {
      ...{ name: 'the lock is another', check: 'lock', verdict: 'fail', says: /COMPLIANCE/ },
      async harm() {
        await lock('COMPLIANCE', 1)
        return () => lock('GOVERNANCE', 1)
      },
    },
    {
      ...{ name: 'the bucket has no policy', check: 'bucket-policy', verdict: 'fail', says: /s3:PutObjectRetention/ },
      async harm() {
        const { Policy } = await s3.send(new GetBucketPolicyCommand({ Bucket }))
        await s3.send(new DeleteBucketPolicyCommand({ Bucket }))
        return () => s3.send(new PutBucketPolicyCommand({ Bucket, Policy }))
      },
    },
    {
      ...{ name: 'the account may sign plans', check: 'key-policy', verdict: 'fail', says: /plan key may be used to sign by .*:root/ },
      harm: alsoAllowing(outputs.PlanKeyArn!, root, 'kms:*'),
    },
    {
      ...{ name: 'the account may grant approvals', check: 'key-policy', verdict: 'fail', says: /approval key may be granted to others/ },
      harm: alsoAllowing(outputs.ApprovalKeyArn!, root, 'kms:Create*'),
    },
    {
      ...{ name: 'nobody may seal', check: 'key-policy', verdict: 'fail', says: /evidence key may not be used by/ },
      harm: () =>
        keyPolicy(outputs.EvidenceKeyArn!, (policy) => {
          policy.Statement = policy.Statement.filter(({ Action }) => !JSON.stringify(Action).includes('kms:Sign'))
        }),
    },
    {
      ...{
        name: 'who signs plans is denied it',
        check: 'key-policy',
        verdict: 'fail',
        says: /plan key may not be used by .*, which must sign/,
      },
      harm: () =>
        keyPolicy(outputs.PlanKeyArn!, ({ Statement }) =>
          Statement.push({ Effect: 'Deny', Principal: '*', Action: 'kms:S*', Resource: '*' }),
        ),
    },
    {
      ...{
        name: 'a condition decides who signs plans',
        check: 'key-policy',
        verdict: 'warn',
        says: /plan key may be used to sign by .*:root: this depends on a condition \(statement FromHere\)/,
      },
      harm: () =>
        keyPolicy(outputs.PlanKeyArn!, ({ Statement }) =>
          Statement.push({
            ...{ Sid: 'FromHere', Effect: 'Allow', Principal: root, Action: 'kms:Sign', Resource: '*' },
            Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } },
          }),
        ),
    },
    {
      ...{ name: 'a key is switched off', check: 'key-policy', verdict: 'fail', says: /plan key is Disabled/ },
      async harm() {
        await kms.send(new DisableKeyCommand({ KeyId: outputs.PlanKeyArn }))
        return () => kms.send(new EnableKeyCommand({ KeyId: outputs.PlanKeyArn }))
      },
    },
    {
      ...{
        name: 'who mails links may make forms',
        check: 'key-policy',
        verdict: 'fail',
        says: /The page key may be used to make codes by .*RequestDecisions/,
      },
      harm: alsoAllowing(
        macKeys.page.key,
        { AWS: macKeys.approvalLink.makers.find((each) => /RequestDecisions/.test(each)) },
        'kms:GenerateMac',
      ),
    },
    {
      ...{
        name: 'the account may check links',
        check: 'key-policy',
        verdict: 'fail',
        says: /waiver link key may be used to check codes by .*:root/,
      },
      harm: alsoAllowing(macKeys.waiverLink.key, root, 'kms:Verify*'),
    },
    {
      ...{
        name: 'nobody may check links',
        check: 'key-policy',
        verdict: 'fail',
        says: /approval link key may not be used by .*ApprovalPage.*, which must check codes/,
      },
      harm: () =>
        keyPolicy(macKeys.approvalLink.key, (policy) => {
          policy.Statement = policy.Statement.filter(({ Action }) => Action !== 'kms:VerifyMac')
        }),
    },
    {
      ...{
        name: 'a role rules a key',
        check: 'key-policy',
        verdict: 'fail',
        says: /withdrawal link key may be given another policy by .*Decide/,
      },
      harm: alsoAllowing(macKeys.withdrawalLink.key, { AWS: tokenKey.openers }, 'kms:PutKeyPolicy'),
    },
    {
      ...{
        name: 'the making of links was handed on',
        check: 'key-policy',
        verdict: 'fail',
        says: /registration link key is granted to \S+ \(GenerateMac\)/,
      },
      harm: granted(macKeys.registrationLink.key, 'GenerateMac'),
    },
    {
      ...{ name: 'a key of names is off', check: 'key-policy', verdict: 'fail', says: /person key is Disabled/ },
      async harm() {
        await kms.send(new DisableKeyCommand({ KeyId: macKeys.person.key }))
        return () => kms.send(new EnableKeyCommand({ KeyId: macKeys.person.key }))
      },
    },
    {
      ...{
        name: 'the account may open task tokens',
        check: 'key-policy',
        verdict: 'fail',
        says: /token key may be used to open what it sealed by .*:root/,
      },
      harm: alsoAllowing(tokenKey.key, root, 'kms:ReEncryptFrom'),
    },
    {
      ...{
        name: 'nobody may open task tokens',
        check: 'key-policy',
        verdict: 'fail',
        says: /token key may not be used by .*Decide.*, which must open/,
      },
      harm: () =>
        keyPolicy(tokenKey.key, (policy) => {
          policy.Statement = policy.Statement.filter(({ Action }) => Action !== 'kms:Decrypt')
        }),
    },
    {
      ...{
        name: 'the opening of task tokens was handed on',
        check: 'key-policy',
        verdict: 'fail',
        says: /token key is granted to \S+ \(Decrypt\)/,
      },
      harm: granted(tokenKey.key, 'Decrypt'),
    },
    {
      ...{ name: 'a schedule counts other hours', check: 'schedules', verdict: 'fail', says: /America\/New_York, not in Europe\/Berlin/ },
      harm: () => changeSchedule(outputs, { ScheduleExpressionTimezone: 'America/New_York' }),
    },
    {
      ...{ name: 'a schedule is off', check: 'schedules', verdict: 'fail', says: /switched off/ },
      harm: () => changeSchedule(outputs, { State: 'DISABLED' }),
    },
    {
      ...{ name: 'the repository is not the token’s', check: 'git-token', verdict: 'fail', says: /HTTP 404/ },
      harm: answering({}),
    },
    {
      ...{ name: 'the token may not push', check: 'git-token', verdict: 'fail', says: /cannot push/ },
      harm: answering(repository({ push: false, admin: false })),
    },
    {
      ...{ name: 'the token administers', check: 'git-token', verdict: 'fail', says: /merge past any rule/ },
      harm: answering(repository({ push: true, admin: true })),
    },
    {
      ...{ name: 'the base is not protected', check: 'git-token', verdict: 'fail', says: /Nothing keeps the token from merging/ },
      harm: answering({ ...guarded, '/branches/main': { protected: false }, '/rules/branches/main': [] }),
    },
    {
      ...{ name: 'how the base is protected is not known', check: 'git-token', verdict: 'warn', says: /may not read how/ },
      harm: answering({ ...guarded, '/rules/branches/main': [] }),
    },
    {
      ...{ name: 'the token is what was generated', check: 'git-token', verdict: 'fail', says: /still holds what was generated/ },
      async harm() {
        const put = (SecretString: string) => secrets.send(new PutSecretValueCommand({ SecretId: outputs.GitTokenArn, SecretString }))
        await put('a1'.repeat(32))
        return () => put('a-token-that-may-not-merge')
      },
    },
    {
      ...{ name: 'a worker was taken out of use', check: 'image', verdict: 'fail', says: /taken out of use/ },
      async harm() {
        const { taskDefinitionArns = [] } = await ecs.send(new ListTaskDefinitionsCommand({}))
        await ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition: taskDefinitionArns.find((arn) => /RunChecks/.test(arn)) }))
        return undefined
      },
    },
  ]
}
