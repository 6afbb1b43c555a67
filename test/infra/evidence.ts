import { describe, expect, it } from 'vitest'
import { prod as prodConfig } from '../../infra/config.ts'
import { OUTBOX_INDEX, PROJECT_INDEX } from '../../layers/aws/approval-store.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import { flat, resourcesOf, type Statement, type Synthesis, statementsOf } from './synth.ts'

/** What governance promises about keys, evidence and tables. */
export function evidenceTests(prod: Synthesis, dev: Synthesis): void {
  const all = (synthesis: Synthesis) =>
    [synthesis.state, synthesis.network, synthesis.pipeline, synthesis.observability].flatMap((template) =>
      Object.values(template.toJSON().Resources as Record<string, { Type: string }>),
    )
  const evidenceBucket = (synthesis: Synthesis) =>
    resourcesOf(synthesis.state, 'AWS::S3::Bucket').find(([, { Properties }]) => Properties.ObjectLockEnabled === true)![1]
  const bucketStatements = (synthesis: Synthesis) =>
    resourcesOf(synthesis.state, 'AWS::S3::BucketPolicy')
      .filter(([id]) => id.startsWith('EvidenceBucket'))
      .flatMap(([, { Properties }]) => statementsOf(Properties.PolicyDocument))
  const denied = (synthesis: Synthesis, action: string) =>
    bucketStatements(synthesis).filter((statement) => statement.Effect === 'Deny' && statement.Action.includes(action))

  describe('evidence bucket', () => {
    it('locks every object: COMPLIANCE for seven years in prod, GOVERNANCE for a day in dev', () => {
      const rule = (synthesis: Synthesis) => evidenceBucket(synthesis).Properties.ObjectLockConfiguration
      expect(rule(prod)).toEqual({ ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 2557 } } })
      expect(rule(dev)).toEqual({ ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 1 } } })
      expect(evidenceBucket(prod).Properties.VersioningConfiguration).toEqual({ Status: 'Enabled' })
    })

    it('keeps at least as long as the default policy asks, and tells writers so', () => {
      expect(prodConfig.evidence.days).toBeGreaterThanOrEqual(defaultPolicy.retention_days)
      const told = resourcesOf(prod.pipeline, 'AWS::Lambda::Function').map(
        ([, { Properties }]) => (Properties.Environment as { Variables: Record<string, unknown> }).Variables.WAYBILL_RETENTION_DAYS,
      )
      expect(new Set(told.filter((days) => days !== undefined))).toEqual(new Set(['2557']))
    })

    it('is never emptied by a stack', () => {
      for (const synthesis of [prod, dev]) expect(all(synthesis).filter(({ Type }) => Type.startsWith('Custom::'))).toEqual([])
      expect(evidenceBucket(prod).DeletionPolicy).toBe('RetainExceptOnCreate')
      expect(evidenceBucket(prod).UpdateReplacePolicy).toBe('Retain')
    })

    it('denies everybody to choose a retention, to go round it, and to write a key twice', () => {
      for (const synthesis of [prod, dev]) {
        for (const action of ['s3:PutObjectRetention', 's3:BypassGovernanceRetention']) {
          expect(denied(synthesis, action)).toHaveLength(1)
          expect(denied(synthesis, action)[0]).toMatchObject({ Principal: { AWS: '*' } })
          expect(denied(synthesis, action)[0]?.Condition).toBeUndefined()
        }
        expect(denied(synthesis, 's3:PutObject')).toMatchObject([
          { Principal: { AWS: '*' }, Condition: { Null: { 's3:if-none-match': 'true' } } },
        ])
      }
    })

    it('denies everybody to delete in prod', () => {
      for (const action of ['s3:DeleteObject', 's3:DeleteObjectVersion']) {
        expect(denied(prod, action)).toMatchObject([{ Principal: { AWS: '*' } }])
        expect(denied(prod, action)[0]?.Condition).toBeUndefined()
      }
    })
  })

  describe('signing keys', () => {
    const keys = resourcesOf(prod.state, 'AWS::KMS::Key').filter(([, { Properties }]) => Properties.KeyUsage === 'SIGN_VERIFY')
    const signersOf = (statements: Statement[]) =>
      statements.filter(({ Action }) => Action.some((action) => /^kms:(Sign|\*)$/.test(action) || action === '*'))

    it('are four ECC_NIST_P256 keys, kept', () => {
      expect(keys.map(([id]) => id.replace(/Key[0-9A-F]{8}$/, '')).sort()).toEqual(['Anchor', 'Approval', 'Evidence', 'Plan'])
      for (const [, key] of keys) {
        expect(key.Properties.KeySpec).toBe('ECC_NIST_P256')
        expect(key.DeletionPolicy).toBe('Retain')
      }
    })

    it('let exactly the signing functions sign, only digests with ECDSA_SHA_256', () => {
      const roles: Record<string, string[]> = {
        Plan: ['SignPlan'],
        Approval: ['Decide'],
        Evidence: ['CloseReconciliation', 'ProveOutcome', 'SealEvidence'],
        Anchor: ['AnchorAudit'],
      }
      for (const [id, { Properties }] of keys) {
        const signing = signersOf(statementsOf(Properties.KeyPolicy))
        expect(signing).toHaveLength(1)
        expect(signing[0]?.Action).toEqual(['kms:Sign'])
        expect(signing[0]?.Condition).toEqual({ StringEquals: { 'kms:MessageType': 'DIGEST', 'kms:SigningAlgorithm': 'ECDSA_SHA_256' } })
        const principals = flat((signing[0]!.Principal as { AWS: unknown }).AWS).split(',')
        const expected = roles[id.replace(/Key[0-9A-F]{8}$/, '')]!
        expect(principals.map((each) => each.replace(/^<(.*)Role[0-9A-F]{8}\.Arn>$/, '$1')).sort()).toEqual(expected)
      }
    })

    it('let the account administer, but neither sign nor hand signing out', () => {
      for (const [, { Properties }] of keys) {
        const rest = statementsOf(Properties.KeyPolicy).filter(({ Sid }) => Sid !== 'OnlyTheSigningFunctionsSign')
        const actions = rest.flatMap(({ Action }) => Action)
        expect(actions).toContain('kms:PutKeyPolicy')
        for (const never of ['kms:Sign', 'kms:CreateGrant', 'kms:ScheduleKeyDeletion', 'kms:DisableKey'])
          expect(actions).not.toContain(never)
        expect(actions.filter((action) => action.includes('*'))).toEqual([])
      }
    })
  })

  describe('keys of message authentication codes', () => {
    const keys = resourcesOf(prod.state, 'AWS::KMS::Key').filter(([, { Properties }]) => Properties.KeyUsage === 'GENERATE_VERIFY_MAC')
    const rolesOf = (statements: Statement[], action: string) =>
      statements
        .filter(({ Action }) => Action.some((each) => each === action || each.includes('*')))
        .flatMap(({ Principal }) => flat((Principal as { AWS: unknown }).AWS).split(','))
        .map((each) => each.replace(/^<(.*)Role[0-9A-F]{8}\.Arn>$/, '$1'))
        .sort()

    it('are one for each purpose, kept, of a kind that is never handed out', () => {
      expect(keys.map(([id]) => id.replace(/MacKey[0-9A-F]{8}$/, '')).sort()).toEqual([
        'ApprovalLink',
        'Page',
        'Person',
        'RegistrationLink',
        'WaiverLink',
        'WithdrawalLink',
      ])
      for (const [, { Properties, DeletionPolicy }] of keys)
        expect([Properties.KeySpec, Properties.MultiRegion, DeletionPolicy]).toEqual(['HMAC_256', undefined, 'Retain'])
    })

    it('let their makers make and their checkers check, and the account neither', () => {
      const page = ['ApprovalPage', 'Decide']
      const roles: Record<string, [makers: string[], checkers: string[]]> = {
        ApprovalLink: [['Decide', 'RequestApproval', 'RequestDecisions'], page],
        RegistrationLink: [['Decide', 'RequestApproval'], page],
        WaiverLink: [['Decide'], page],
        WithdrawalLink: [['Decide', 'RequestApproval'], page],
        Page: [['ApprovalPage'], page],
        Person: [page, []],
      }
      for (const [id, { Properties }] of keys) {
        const statements = statementsOf(Properties.KeyPolicy)
        const purpose = id.replace(/MacKey[0-9A-F]{8}$/, '')
        expect([purpose, rolesOf(statements, 'kms:GenerateMac'), rolesOf(statements, 'kms:VerifyMac')]).toEqual([
          purpose,
          ...roles[purpose]!,
        ])
        const administration = statements.filter(({ Sid }) => Sid === 'AccountAdministersButNeverUses').flatMap(({ Action }) => Action)
        expect(administration).toContain('kms:PutKeyPolicy')
        for (const never of ['kms:GenerateMac', 'kms:VerifyMac', 'kms:CreateGrant', 'kms:ScheduleKeyDeletion', 'kms:DisableKey'])
          expect(administration).not.toContain(never)
      }
    })
  })

  describe('the key that seals task tokens', () => {
    it('lets who asks seal and who decides open, the account neither, and gives no grants', () => {
      const [[, key] = []] = resourcesOf(prod.state, 'AWS::KMS::Key').filter(([id]) => id.startsWith('TokenKey'))
      const by = statementsOf(key!.Properties.KeyPolicy).map(({ Sid, Action, Principal, Condition }) => ({
        Sid,
        Action,
        Condition,
        roles: flat((Principal as { AWS: unknown }).AWS)
          .split(',')
          .map((each) => each.replace(/^<(.*)Role[0-9A-F]{8}\.Arn>$/, '$1'))
          .sort(),
      }))
      const [administration, ...uses] = by
      expect(administration?.roles).toEqual([expect.stringMatching(/:root$/)])
      const never = /Encrypt|Decrypt|DataKey|CreateGrant|\*|DisableKey|Deletion/
      expect(administration?.Action.filter((action) => never.test(action))).toEqual([])
      expect(uses).toEqual([
        { Sid: 'OnlyTheseSeal', Action: ['kms:Encrypt'], roles: ['RequestApproval', 'RequestDecisions'] },
        { Sid: 'OnlyTheseOpen', Action: ['kms:Decrypt'], roles: ['Decide'] },
      ])
    })
  })

  describe('keys that seal', () => {
    it('rotate, are kept, and the one of data gives grants to services only', () => {
      const keys = resourcesOf(prod.state, 'AWS::KMS::Key').filter(([, { Properties }]) => Properties.KeyUsage === undefined)
      expect(keys.map(([id]) => id.replace(/Key[0-9A-F]{8}$/, '')).sort()).toEqual(['Data', 'Token'])
      for (const [id, key] of keys) {
        expect(key.Properties.EnableKeyRotation).toBe(true)
        expect(key.DeletionPolicy).toBe('Retain')
        if (id.startsWith('Token')) continue
        const grants = statementsOf(key.Properties.KeyPolicy).filter(({ Action }) => Action.some((action) => /CreateGrant|\*/.test(action)))
        const ways = grants.map(({ Condition }) => flat(Object.values(Condition ?? {})[0]?.['kms:ViaService'] ?? JSON.stringify(Condition)))
        const expected = ['secretsmanager.<AWS::Region>.amazonaws.com', '{"Bool":{"kms:GrantIsForAWSResource":"true"}}']
        expect(ways.filter((way) => !expected.includes(way))).toEqual([])
        expect(ways).toContain(expected[1])
      }
    })
  })

  describe('tables', () => {
    const every = resourcesOf(prod.state, 'AWS::DynamoDB::Table')
    const tables = every.filter(([id]) => !id.startsWith('Progress'))

    it('can be restored to any second and cannot be dropped', () => {
      expect(tables).toHaveLength(4)
      for (const [, table] of tables) {
        expect(table.Properties.PointInTimeRecoverySpecification).toMatchObject({ PointInTimeRecoveryEnabled: true })
        expect(table.Properties.DeletionProtectionEnabled).toBe(true)
        expect(table.Properties.SSESpecification).toMatchObject({ SSEEnabled: true, SSEType: 'KMS' })
        expect(table.DeletionPolicy).toBe('Retain')
      }
    })

    it('forget progress, which is neither state nor evidence, and nothing else', () => {
      const forgetting = every.filter(([, { Properties }]) => Properties.TimeToLiveSpecification !== undefined)
      expect(forgetting.map(([id]) => id.replace(/Table[0-9A-F]{8}$/, ''))).toEqual(['Progress'])
      expect(forgetting[0]![1].Properties.TimeToLiveSpecification).toEqual({ AttributeName: 'expires_at', Enabled: true })
    })

    it('have the indexes that the approval store asks for', () => {
      const names = tables.flatMap(([, { Properties }]) =>
        ((Properties.GlobalSecondaryIndexes ?? []) as { IndexName: string }[]).map((i) => i.IndexName),
      )
      expect(names.sort()).toEqual([OUTBOX_INDEX, PROJECT_INDEX].sort())
    })
  })
}
