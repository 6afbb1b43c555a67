import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { notDenied } from '../../layers/aws/account/doctor/evidence.ts'
import { policyFaults } from '../../layers/aws/account/doctor/keys.ts'
import { permission } from '../../layers/aws/account/doctor/permission.ts'
import { readPolicy } from '../../layers/aws/account/doctor/policy.ts'

const ACCOUNT = 'arn:aws:iam::111122223333:root'
const SIGNER = 'arn:aws:iam::111122223333:role/Sign'
const OTHER = 'arn:aws:iam::111122223333:role/Other'
const KEY = 'arn:aws:kms:eu-central-1:111122223333:key/k'
const USES = [{ what: 'sign', actions: ['kms:Sign'] as const, by: [SIGNER] }]

type Told = Record<string, unknown>
const DIGEST = { StringEquals: { 'kms:MessageType': 'DIGEST', 'kms:SigningAlgorithm': 'ECDSA_SHA_256' } }
const FROM_HERE = { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }
const allow = (to: string, more: Told = {}): Told => ({
  Effect: 'Allow',
  Principal: { AWS: to },
  Action: 'kms:Sign',
  Resource: '*',
  ...more,
})
const deny = (to: string, more: Told = {}): Told => ({ ...allow(to, more), Effect: 'Deny' })
const deployed = [
  { Sid: 'Rules', Effect: 'Allow', Principal: { AWS: ACCOUNT }, Action: ['kms:PutKeyPolicy', 'kms:ListGrants'], Resource: '*' },
  allow(SIGNER, { Sid: 'Signs', Condition: DIGEST }),
]
const policy = (...more: Told[]) => JSON.stringify({ Version: '2012-10-17', Statement: [...deployed, ...more] })
const found = (...more: Told[]) => policyFaults(policy(...more), KEY, USES)

const OTHER_MAY = 'may be used to sign by arn:aws:iam::111122223333:role/Other'
const SIGNER_MAY_NOT = 'may not be used by arn:aws:iam::111122223333:role/Sign, which must sign with it'

describe('what a key policy says', () => {
  it.each<[string, Told[], { says: string; on: string[] }[]]>([
    ['as deployed', [], []],
    ['another is allowed', [allow(OTHER)], [{ says: OTHER_MAY, on: [] }]],
    ['another is allowed, and denied', [allow(OTHER), deny(OTHER)], []],
    [
      'another is allowed, and everybody but for signing denied',
      [allow(OTHER, { Action: 'kms:*' }), deny(OTHER, { Action: undefined, NotAction: 'kms:Get*' })],
      [],
    ],
    ['another is allowed as the signer is, and chooses what it asks', [allow(OTHER, { Condition: DIGEST })], [{ says: OTHER_MAY, on: [] }]],
    [
      'another is allowed, and denied what it need not ask for',
      [allow(OTHER), deny(OTHER, { Condition: { StringEquals: { 'kms:MessageType': 'RAW' } } })],
      [{ says: OTHER_MAY, on: [] }],
    ],
    ['another is allowed from somewhere', [allow(OTHER, { Sid: 'Here', Condition: FROM_HERE })], [{ says: OTHER_MAY, on: ['Here'] }]],
    [
      'another is allowed, and denied from somewhere',
      [allow(OTHER), deny(OTHER, { Condition: FROM_HERE })],
      [{ says: OTHER_MAY, on: ['number 4'] }],
    ],
    ['another is allowed another key', [allow(OTHER, { Resource: `${KEY}2` })], []],
    [
      'another is allowed by exception',
      [allow(OTHER, { Action: undefined, NotAction: 'kms:Sign' })],
      [
        { says: 'may be given another policy by arn:aws:iam::111122223333:role/Other', on: [] },
        { says: 'may be granted to others by arn:aws:iam::111122223333:role/Other', on: [] },
      ],
    ],
    [
      'everybody is allowed but one',
      [{ ...allow(''), Principal: undefined, NotPrincipal: { AWS: OTHER } }],
      [{ says: 'may be used to sign by *', on: [] }],
    ],
    ['the signer is denied', [deny(SIGNER)], [{ says: SIGNER_MAY_NOT, on: [] }]],
    ['everybody is denied', [deny('*', { Action: 'kms:*' })], [{ says: SIGNER_MAY_NOT, on: [] }]],
    ['the account is denied', [deny('111122223333')], [{ says: SIGNER_MAY_NOT, on: [] }]],
    [
      'everybody but another is denied',
      [{ ...deny(''), Principal: undefined, NotPrincipal: { AWS: OTHER } }],
      [{ says: SIGNER_MAY_NOT, on: [] }],
    ],
    [
      'everybody but the signer and its account is denied',
      [{ ...deny(''), Principal: undefined, NotPrincipal: { AWS: [SIGNER, ACCOUNT] } }],
      [],
    ],
    [
      'everybody but the signer is denied',
      [{ ...deny(''), Sid: 'Not', Principal: undefined, NotPrincipal: { AWS: SIGNER } }],
      [{ says: SIGNER_MAY_NOT, on: ['Not'] }],
    ],
    ['the signer is denied elsewhere', [deny(SIGNER, { Sid: 'Away', Condition: FROM_HERE })], [{ says: SIGNER_MAY_NOT, on: ['Away'] }]],
    [
      'one session of it is denied',
      [deny('arn:aws:sts::111122223333:assumed-role/Sign/one', { Sid: 'One' })],
      [{ says: SIGNER_MAY_NOT, on: ['One'] }],
    ],
    ['what the signer never asks is denied', [deny(SIGNER, { Condition: { StringEquals: { 'KMS:messagetype': 'RAW' } } })], []],
    ['all that is no digest is denied', [deny('*', { Condition: { StringNotEquals: { 'kms:MessageType': 'DIGEST' } } })], []],
    [
      'all that is no raw message is denied',
      [deny('*', { Condition: { StringNotEquals: { 'kms:MessageType': 'RAW' } } })],
      [{ says: SIGNER_MAY_NOT, on: [] }],
    ],
    [
      'digests are denied from somewhere',
      [deny('*', { Condition: { ...FROM_HERE, StringEquals: { 'kms:MessageType': 'DIGEST' } } })],
      [{ says: SIGNER_MAY_NOT, on: ['number 3'] }],
    ],
    [
      'raw messages are denied from somewhere',
      [deny('*', { Condition: { ...FROM_HERE, StringEquals: { 'kms:MessageType': 'RAW' } } })],
      [],
    ],
    ['a condition nobody can read', [deny(SIGNER, { Condition: ['x'] })], [{ says: SIGNER_MAY_NOT, on: ['number 3'] }]],
  ])('%s', (_, more, faults) => {
    expect(found(...more)).toEqual(faults)
  })

  it('says that its signer may not sign where only a condition lets it, or nothing does', () => {
    const only = (statement: Told) => policyFaults(JSON.stringify({ Statement: [deployed[0], statement] }), KEY, USES)
    expect(only(allow(SIGNER, { Sid: 'Here', Condition: FROM_HERE }))).toEqual([{ says: SIGNER_MAY_NOT, on: ['Here'] }])
    expect(only(allow(SIGNER, { Condition: { StringEquals: { 'kms:MessageType': 'RAW' } } }))).toEqual([{ says: SIGNER_MAY_NOT, on: [] }])
    expect(only(allow(SIGNER, { Resource: `${KEY}2` }))).toEqual([{ says: SIGNER_MAY_NOT, on: [] }])
    expect(policyFaults(undefined, KEY, USES)).toEqual([{ says: SIGNER_MAY_NOT, on: [] }])
  })

  it('knows no condition keys of another action', () => {
    const uses = [{ what: 'make codes', actions: ['kms:GenerateMac'] as const, by: [SIGNER] }]
    const makes = allow(SIGNER, { Sid: 'Makes', Action: 'kms:GenerateMac', Condition: DIGEST })
    expect(policyFaults(JSON.stringify({ Statement: makes }), KEY, uses)).toEqual([
      { says: 'may not be used by arn:aws:iam::111122223333:role/Sign, which must make codes with it', on: ['Makes'] },
    ])
  })

  it('depends on conditions exactly where their holding or not changes the answer', () => {
    const statement = fc.record({
      Effect: fc.constantFrom('Allow', 'Deny'),
      Principal: fc.constantFrom('*', { AWS: SIGNER }, { AWS: OTHER }, { Service: 's3.amazonaws.com' }),
      Action: fc.constantFrom('kms:Sign', 'kms:*', 'kms:Verify', '*'),
      Resource: fc.constantFrom('*', KEY, `${KEY}2`),
      conditional: fc.boolean(),
    })
    const asked = { principal: SIGNER, action: 'kms:Sign', resource: KEY, keys: [], context: {} }
    const verdict = (statements: readonly object[]) => permission(readPolicy(JSON.stringify({ Statement: statements })), asked).verdict
    fc.assert(
      fc.property(fc.array(statement, { maxLength: 6 }), (drawn) => {
        const statements = drawn.map(({ conditional, ...told }) => ({ told, conditional }))
        const open = statements.filter(({ conditional }) => conditional)
        // Each way in which the conditions may hold, as policies without any.
        const ways = Array.from({ length: 2 ** open.length }, (_, way) =>
          verdict(statements.filter((each) => !each.conditional || (way >> open.indexOf(each)) % 2 === 1).map(({ told }) => told)),
        )
        const answers = new Set(ways)
        const whole = verdict(statements.map(({ told, conditional }) => ({ ...told, ...(conditional ? { Condition: FROM_HERE } : {}) })))
        expect(whole).toBe(answers.size === 1 ? ways[0] : 'depends')
        // Without conditions: an explicit Deny, else an Allow.
        const about = statements.filter(
          ({ told }) =>
            (told.Principal === '*' || (told.Principal as { AWS?: string }).AWS === SIGNER) &&
            told.Action !== 'kms:Verify' &&
            told.Resource !== `${KEY}2`,
        )
        const effects = new Set(about.map(({ told }) => told.Effect))
        expect(ways.at(-1)).toBe(effects.has('Allow') && !effects.has('Deny') ? 'yes' : 'no')
      }),
    )
  })
})

describe('what a bucket policy denies to everybody', () => {
  const RETAIN = ['s3:PutObjectRetention', 's3:BypassGovernanceRetention']
  const denied = { Sid: 'Nobody', Effect: 'Deny', Principal: '*', Action: RETAIN, Resource: 'arn:aws:s3:::b/*' }
  const once = {
    Sid: 'Once',
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:PutObject',
    Resource: 'arn:aws:s3:::b/*',
    Condition: { Null: { 's3:if-none-match': 'true' } },
  }
  const DELETES = ['s3:DeleteObject', 's3:DeleteObjectVersion']
  const kept = { Sid: 'Kept', Effect: 'Deny', Principal: '*', Action: DELETES, Resource: 'arn:aws:s3:::b/*' }
  const TWICE = 's3:PutObject without If-None-Match'
  const left = (statements: Told[], undeleted: boolean) => notDenied(readPolicy(JSON.stringify({ Statement: statements })), 'b', undeleted)

  it.each<[string, Told, { free: string[]; sometimes: string[] }]>([
    ['as deployed', denied, { free: [], sometimes: [] }],
    ['under a condition only', { ...denied, Condition: FROM_HERE }, { free: RETAIN, sometimes: ['Nobody'] }],
    ['to all services', { ...denied, Principal: { Service: '*' } }, { free: RETAIN, sometimes: [] }],
    ['to everybody but one', { ...denied, Principal: undefined, NotPrincipal: { AWS: OTHER } }, { free: RETAIN, sometimes: [] }],
    ['another bucket', { ...denied, Resource: 'arn:aws:s3:::bb/*' }, { free: RETAIN, sometimes: [] }],
    ['all but one of them', { ...denied, Action: undefined, NotAction: RETAIN[0] }, { free: [RETAIN[0]!], sometimes: [] }],
  ])('%s', (_, statement, said) => {
    expect(left([statement, once], false)).toEqual(said)
  })

  it('is also every write that could replace something, and where the stage is kept every deletion', () => {
    expect(left([denied, once, kept], true)).toEqual({ free: [], sometimes: [] })
    expect(left([denied, once], true).free).toEqual(DELETES)
    expect(left([denied, once, { ...kept, Action: DELETES[0] }], true).free).toEqual([DELETES[1]])
    expect(left([denied, once, { ...kept, Condition: FROM_HERE }], true)).toEqual({ free: DELETES, sometimes: ['Kept'] })
    expect(left([denied, kept], true).free).toEqual([TWICE])
    expect(left([denied, { ...once, Condition: undefined }], false).free).toEqual([])
    for (const Condition of [
      FROM_HERE,
      { Null: { 's3:if-none-match': 'false' } },
      { Null: { 's3:if-match': 'true' } },
      { Null: { 's3:if-none-match': 'true' }, ...FROM_HERE },
      { StringEquals: { 's3:if-none-match': 'true' } },
    ])
      expect(left([denied, { ...once, Condition }], false).free, JSON.stringify(Condition)).toEqual([TWICE])
  })
})
