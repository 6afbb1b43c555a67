/** What an organisation may say of a stage, what is refused and in which words; and what the stacks become by it. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildAll, DEPLOYED_POLICY, IMAGE_CERTIFICATES, LAYER_CERTIFICATES } from '../../infra/build.ts'
import { configFor, dev, prod } from '../../infra/config.ts'
import { settingsOf } from '../../infra/settings.ts'
import { ACCOUNT, type Account, accountOf } from './iam/account.ts'
import { flat, ORGANISATION, resourcesOf, type Synthesis, statementsOf, synthesise } from './synth.ts'

const refusal = (settings: unknown, stage = 'dev') => {
  try {
    configFor(stage, settings)
    return 'accepted'
  } catch (error) {
    return (error as Error).message
  }
}

describe('settings', () => {
  it('are the stage of this repository where nothing is said', () => {
    expect(configFor('dev')).toEqual(dev)
    expect(configFor('prod', ORGANISATION)).toMatchObject({
      ...prod,
      ...ORGANISATION,
      mailIdentity: { name: ORGANISATION.mailFrom, create: false },
    })
  })

  it('replace field by field', () => {
    const config = configFor('dev', { network: { databases: [{ cidr: '172.16.4.0/24', port: 6432 }] }, nightly: { hour: 0 }, logDays: 365 })
    expect(config).toEqual({
      ...dev,
      logDays: 365,
      network: { ...dev.network, databases: [{ cidr: '172.16.4.0/24', port: 6432 }] },
      nightly: { ...dev.nightly, hour: 0 },
    })
  })

  const wrong: [string, unknown, RegExp, string?][] = [
    ['a range that is none', { network: { cidr: '10.64.0.0' } }, /network\.cidr is no IPv4 range/],
    [
      'a byte above 255',
      { network: { databases: [{ cidr: '10.0.256.0/24', port: 5432 }] } },
      /network\.databases\.0\.cidr is no IPv4 range/,
    ],
    ['bits after the prefix', { network: { cidr: '10.64.1.0/20' } }, /network\.cidr is no IPv4 range .* zeros after the prefix/],
    ['a network too small for its zones', { network: { cidr: '10.64.0.0/24' } }, /network\.cidr is between \/16 and \/22/],
    ['a window that is no time', { nightly: { offPeak: { from: '24:00', to: '06:00' } } }, /nightly\.offPeak\.from is no time of day/],
    ['a schedule outside its window', { nightly: { hour: 12, offPeak: { from: '22:00', to: '06:00' } } }, /lie outside nightly\.offPeak/],
    [
      'a schedule that may be delivered behind its window',
      { nightly: { hour: 5, minute: 45, windowMinutes: 30, offPeak: { from: '22:00', to: '06:00' } } },
      /lie outside nightly\.offPeak/,
    ],
    ['one zone', { network: { zones: 1 } }, /network\.zones is at least 2/],
    ['one zone by its name', { network: { zones: ['eu-central-1a'] } }, /network\.zones is at least 2/],
    ['one zone twice', { network: { zones: ['eu-central-1a', 'eu-central-1a'] } }, /network\.zones names a zone twice/],
    ['a zone without its region', { network: { zones: ['a', 'b'] } }, /network\.zones\.0 is no zone such as/],
    ['no databases', { network: { databases: [] } }, /network\.databases names no database/],
    [
      'databases inside the own network',
      {
        network: {
          databases: [{ cidr: '10.64.4.0/24', port: 5432 }],
          reach: { by: 'peering', vpcId: 'vpc-0123456789abcdef0', owner: null },
        },
      },
      /network\.cidr holds the databases' 10\.64\.4\.0\/24/,
    ],
    [
      'a peering with no VPC',
      { network: { reach: { by: 'peering', vpcId: 'main', owner: null } } },
      /network\.reach\.vpcId is no id of a VPC/,
    ],
    ['an hour of 24', { nightly: { hour: 24 } }, /nightly\.hour/],
    ['half an hour', { nightly: { hour: 1.5 } }, /nightly\.hour/],
    ['a time zone that nobody knows', { nightly: { timeZone: 'Europe/Atlantis' } }, /nightly\.timeZone is no time zone/],
    ['a time zone by its offset', { nightly: { timeZone: '+02:00' } }, /nightly\.timeZone is no time zone/],
    ['a project id too long for an execution name', { nightly: { projects: ['p'.repeat(61)] } }, /nightly\.projects\.0 is no project id/],
    ['one project twice', { nightly: { projects: ['orders', 'orders'] } }, /names orders twice/],
    ['no sender', { mailFrom: '' }, /mailFrom is no mail address/],
    [
      'an identity that is not the sender’s',
      { mailFrom: 'a@acme.eu', mailIdentity: { name: 'acme.com', create: true } },
      /SES would refuse/,
    ],
    [
      'an identity that only ends alike',
      { mailFrom: 'a@evilacme.eu', mailIdentity: { name: 'acme.eu', create: true } },
      /SES would refuse/,
    ],
    ['sign-in over plain http', { signIn: { issuer: 'http://login.acme.eu', clientId: 'x' } }, /signIn/],
    ...['my-aws-people', 'amazonia', 'cognito-waybill'].map((domainPrefix): [string, unknown, RegExp] => [
      `a directory called ${domainPrefix}`,
      { signIn: { directory: { domainPrefix } } },
      /signIn.* holds aws, amazon or cognito/,
    ]),
    ['a database by its name', { iamDatabases: ['orders-db'] }, /iamDatabases\.0 is no resource id/],
    ['certificates that are none', { certificates: 'package.json' }, /certificates is no file of PEM certificates/],
    ['certificates that are not there', { certificates: 'infra/none.pem' }, /certificates is no file of PEM certificates/],
    ['a field that does not exist', { netwrok: {} }, /netwrok/],
    ['another stage', { stage: 'prod' }, /choose no stage/],
    ['text', 'mailFrom', /JSON object/],
    ['the example sender in prod', { git: ORGANISATION.git }, /mailFrom is still the example/, 'prod'],
    ['the example repository in prod', { mailFrom: ORGANISATION.mailFrom }, /git\.repository is still the example/, 'prod'],
    [
      'evidence that can be deleted in prod',
      { ...ORGANISATION, evidence: { lock: 'GOVERNANCE' } },
      /evidence\.lock is COMPLIANCE in prod/,
      'prod',
    ],
    ['state that goes with its stack in prod', { ...ORGANISATION, keepState: false }, /keepState is true in prod/, 'prod'],
  ]
  for (const [what, settings, words, stage] of wrong)
    it(`are refused: ${what}`, () => {
      expect(refusal(settings, stage)).toMatch(words)
    })

  it('are refused with every fault at once', () => {
    expect(refusal({ mailFrom: 'nobody', nightly: { hour: 99 } }).split('\n')).toHaveLength(3)
    expect(refusal({}, 'test')).toMatch(/Unknown stage "test"/)
  })

  it('lie in a file of the stage, or of another name; projects may be named beside it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'waybill-settings-'))
    try {
      writeFileSync(join(folder, 'settings.prod.json'), JSON.stringify({ nightly: { hour: 3, projects: ['a'] } }))
      expect(settingsOf('prod', {}, folder)).toEqual({ nightly: { hour: 3, projects: ['a'] } })
      expect(settingsOf('prod', { nightly: 'b,c' }, folder)).toEqual({ nightly: { hour: 3, projects: ['b', 'c'] } })
      expect(settingsOf('dev', {}, folder)).toEqual({})
      expect(() => settingsOf('dev', { file: join(folder, 'other.json') })).toThrow(/There is no settings file/)
      writeFileSync(join(folder, 'settings.dev.json'), '{"a":')
      expect(() => settingsOf('dev', {}, folder)).toThrow(/settings\.dev\.json is no JSON/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('certificates of databases', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'waybill-certificates-'))
  })
  const issued = (name: string, ca: boolean) => {
    const path = join(folder, `${name}.pem`)
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`, '-days', '2']
    execFileSync('openssl', [...args, '-addext', `basicConstraints=critical,CA:${ca}`, '-keyout', join(folder, 'key'), '-out', path], {
      stdio: 'ignore',
    })
    return path
  }
  afterAll(() => rmSync(folder, { recursive: true }))

  it('are CAs, lie in layer and image, and are trusted by whoever connects to a database and by nobody else', async () => {
    const certificates = issued('ca', true)
    expect(refusal({ certificates: issued('server', false) })).toMatch(/certificates is no file of PEM certificates/)
    expect(configFor('dev', { certificates }).certificates).toBe(certificates)

    const staging = join(folder, 'staging')
    await buildAll(staging, DEPLOYED_POLICY, certificates)
    for (const place of [`layer${LAYER_CERTIFICATES.replace('/opt', '')}`, `worker${IMAGE_CERTIFICATES.replace('/worker', '')}`])
      expect(readFileSync(join(staging, place), 'utf8'), place).toBe(readFileSync(certificates, 'utf8'))

    const { pipeline } = synthesise('dev', undefined, { certificates })
    const trusting = resourcesOf(pipeline, 'AWS::Lambda::Function').filter(
      ([, { Properties }]) =>
        (Properties.Environment as { Variables: Record<string, unknown> }).Variables.NODE_EXTRA_CA_CERTS !== undefined,
    )
    expect(trusting.map(([id]) => id.replace(/Function[0-9A-F]{8}$/, '')).sort()).toEqual(['Discover', 'PlanChunks', 'Profile'])
    for (const [id, { Properties }] of resourcesOf(pipeline, 'AWS::ECS::TaskDefinition')) {
      const [container] = Properties.ContainerDefinitions as { Environment: unknown[] }[]
      expect(container!.Environment, id).toContainEqual({ Name: 'NODE_EXTRA_CA_CERTS', Value: IMAGE_CERTIFICATES })
    }
  }, 240_000)
})

describe('stacks of an organisation that has said everything', () => {
  const databases = [
    { cidr: '172.16.4.0/24', port: 5432 },
    { cidr: '172.16.4.0/24', port: 5433 },
    { cidr: '172.16.5.0/24', port: 5432 },
  ]
  const full = {
    network: { databases, reach: { by: 'peering', vpcId: 'vpc-0123456789abcdef0', owner: null } },
    iamDatabases: ['db-ABCDEFGHIJKL01234'],
    signIn: { directory: { domainPrefix: 'acme-waybill' } },
    mailIdentity: { name: 'data.acme.eu', create: true },
    alarms: { email: 'oncall@acme.eu' },
    tags: { 'cost-centre': '4711' },
  }
  let made: Synthesis
  let account: Account
  beforeAll(() => {
    made = synthesise('prod', undefined, full)
    account = accountOf(made)
  }, 300_000)

  it('leave nothing for cdk-nag to find', () => {
    expect(made.violations).toEqual([])
  })

  it('route every subnet to the databases, by the peering, and nowhere else', () => {
    const routes = resourcesOf(made.network, 'AWS::EC2::Route').map(([, { Properties }]) => Properties)
    const zones = resourcesOf(made.network, 'AWS::EC2::Subnet').length
    expect(zones).toBeGreaterThan(1)
    expect(routes).toHaveLength(zones * 2)
    expect(new Set(routes.map(({ DestinationCidrBlock }) => DestinationCidrBlock))).toEqual(new Set(['172.16.4.0/24', '172.16.5.0/24']))
    for (const route of routes) expect(flat(route.VpcPeeringConnectionId)).toMatch(/^<CustomerPeering/)
    expect(new Set(routes.map(({ RouteTableId }) => flat(RouteTableId))).size).toBe(zones)
  })

  it('lie in the zones that they name, with the endpoints in each and nowhere else', () => {
    const zones = ['us-west-1a', 'us-west-1c']
    const { network } = synthesise('prod', undefined, { network: { zones } })
    const subnets = resourcesOf(network, 'AWS::EC2::Subnet')
    expect(subnets.map(([, { Properties }]) => Properties.AvailabilityZone)).toEqual(zones)
    for (const [id, { Properties }] of resourcesOf(network, 'AWS::EC2::VPCEndpoint'))
      if (Properties.VpcEndpointType === 'Interface')
        expect([id, (Properties.SubnetIds as { Ref: string }[]).map(({ Ref }) => Ref)]).toEqual([id, subnets.map(([name]) => name)])
    expect(JSON.stringify(network.toJSON())).not.toContain('Fn::GetAZs')
  })

  // CloudFormation takes back no export that a deployed stack still imports: what changes must be able to go there first, alone, over what is deployed.
  it('can lose their directory and a zone: the pipeline of the new settings stands on the stacks of the old', () => {
    const exports = (of: Synthesis) => [of.state, of.network].flatMap((template) => exportNames(template.toJSON()))
    const less = synthesise('prod', undefined, { ...full, signIn: null, network: { ...full.network, zones: 2 } })
    const lost = exports(made).filter((name) => !exports(less).includes(name))
    expect(lost.map((name) => name.replace(/^.*ExportsOutputRef|[0-9A-F]{16}$/g, ''))).toEqual([
      'ApproversPool',
      'VpcisolatedSubnet3Subnet',
    ])
    const imported = [...JSON.stringify(less.pipeline.toJSON()).matchAll(/"Fn::ImportValue":"([^"]+)"/g)].map(([, name]) => name!)
    expect(imported.length).toBeGreaterThan(20)
    expect(imported.filter((name) => !exports(made).includes(name))).toEqual([])
  })

  it('or by a transit gateway, to which every subnet is attached first', () => {
    const reach = { by: 'transit-gateway', transitGatewayId: 'tgw-0123456789abcdef0' }
    const { network } = synthesise('dev', undefined, { network: { databases, reach } })
    const [[attachment, made] = ['', null]] = resourcesOf(network, 'AWS::EC2::TransitGatewayAttachment')
    expect(made?.Properties.SubnetIds).toHaveLength(resourcesOf(network, 'AWS::EC2::Subnet').length)
    for (const [, route] of resourcesOf(network, 'AWS::EC2::Route')) {
      expect(route.Properties.TransitGatewayId).toBe(reach.transitGatewayId)
      expect((route as unknown as { DependsOn: string[] }).DependsOn).toContain(attachment)
    }
  })

  it('make the identity of the domain, and let mail be sent by it only from the one address', () => {
    expect(resourcesOf(made.state, 'AWS::SES::EmailIdentity').map(([, { Properties }]) => Properties.EmailIdentity)).toEqual([
      'data.acme.eu',
    ])
    expect(Object.keys(made.state.findOutputs('*')).filter((name) => /^MailRecord\d$/.test(name))).toHaveLength(3)
    const sending = Object.values(made.pipeline.findResources('AWS::IAM::Policy'))
      .flatMap(({ Properties }) => statementsOf((Properties as Record<string, unknown>).PolicyDocument))
      .filter(({ Action }) => Action.includes('ses:SendEmail'))
    expect(sending.length).toBeGreaterThan(0)
    for (const { Resource, Condition } of sending) {
      expect(Resource).toEqual([expect.stringMatching(/:ses:.*:configuration-set\/\*$/), expect.stringMatching(/:ses:.*:identity\/\*$/)])
      expect(Condition).toEqual({ StringEquals: { 'ses:FromAddress': ORGANISATION.mailFrom } })
    }
  })

  it('hold a directory that nobody joins by himself, with a second factor, and tell the approval pages of it', () => {
    const [[, pool] = []] = resourcesOf(made.state, 'AWS::Cognito::UserPool')
    expect(pool).toMatchObject({
      DeletionPolicy: 'Retain',
      Properties: {
        AdminCreateUserConfig: { AllowAdminCreateUserOnly: true },
        MfaConfiguration: 'ON',
        EnabledMfas: ['SOFTWARE_TOKEN_MFA'],
        DeletionProtection: 'ACTIVE',
      },
    })
    const [[, client] = []] = resourcesOf(made.pipeline, 'AWS::Cognito::UserPoolClient')
    expect(client!.Properties).toMatchObject({
      AllowedOAuthFlows: ['code'],
      AllowedOAuthScopes: ['openid', 'email'],
      GenerateSecret: false,
    })
    expect((client!.Properties.CallbackURLs as unknown[]).map(flat)).toEqual([expect.stringMatching(/\/sign-in\/callback$/)])
    const told = resourcesOf(made.pipeline, 'AWS::Lambda::Function').filter(
      ([, { Properties }]) =>
        (Properties.Environment as { Variables: Record<string, unknown> }).Variables.WAYBILL_OIDC_ISSUER !== undefined,
    )
    expect(told.map(([id]) => id.replace(/Function[0-9A-F]{8}$/, ''))).toContain('Decide')
    const { Variables } = told[0]![1].Properties.Environment as { Variables: Record<string, unknown> }
    expect(flat(Variables.WAYBILL_OIDC_ISSUER)).toMatch(/^https:\/\/cognito-idp\.<AWS::Region>\.amazonaws\.com\/</)
  })

  it('keep room for people and for anchors, and let nobody take more', () => {
    const kept = resourcesOf(made.pipeline, 'AWS::Lambda::Function').flatMap(([id, { Properties }]) =>
      Properties.ReservedConcurrentExecutions === undefined
        ? []
        : [[id.replace(/Function[0-9A-F]{8}$/, ''), Properties.ReservedConcurrentExecutions]],
    )
    expect(Object.fromEntries(kept)).toEqual({ AnchorAudit: 10, ApprovalPage: 20, Decide: 20 })
  })

  it('carry the tags', () => {
    for (const [id, { Properties }] of resourcesOf(made.state, 'AWS::DynamoDB::Table'))
      expect(Properties.Tags, id).toEqual(
        expect.arrayContaining([
          { Key: 'application', Value: 'waybill' },
          { Key: 'cost-centre', Value: '4711' },
          { Key: 'stage', Value: 'prod' },
        ]),
      )
  })

  it('let each role sign in as the database users of its kind of access, and as no other', async () => {
    const user = (name: string) => `arn:aws:rds-db:eu-central-1:${ACCOUNT}:dbuser:db-ABCDEFGHIJKL01234/${name}`
    const who = async (name: string) => {
      const found: string[] = []
      for (const role of account.roles)
        if ((await account.ask({ role, action: 'rds-db:connect', resource: user(name) })) === 'Allowed')
          found.push(role.id.replace(/Role[0-9A-F]+$/, ''))
      return found.sort()
    }
    const writers = ['CopyChunkWorkerTask', 'FinishTargetWorkerTask', 'PrepareTargetWorkerTask', 'RollBackTargetWorkerTask']
    const readers = ['Discover', 'HashSegmentsWorkerTask', 'PlanChunks', 'Profile', 'RunChecksWorkerTask']
    expect(await who('waybill_target_writer')).toEqual(writers)
    expect(await who('waybill_target_reader')).toEqual(readers)
    expect(await who('waybill_source')).toEqual([...writers, ...readers].sort())
    expect(await who('postgres')).toEqual([])
  })
})

function exportNames({ Outputs = {} }: { Outputs?: Record<string, { Export?: { Name: string } }> }): string[] {
  return Object.values(Outputs).flatMap(({ Export }) => (Export === undefined ? [] : [Export.Name]))
}
