import { DescribeKeyCommand, GetKeyPolicyCommand, type GrantListEntry, type KMSClient, ListGrantsCommand } from '@aws-sdk/client-kms'
import { type DoctorLine, fail, ok } from '../../../core/doctor.ts'
import { MAC_PURPOSES, SIGNING_PURPOSES, type SigningPurpose } from '../../../core/names.ts'
import type { Outputs } from '../stacks.ts'
import { type Patient, putBack } from './place.ts'
import { covers, readPolicy } from './policy.ts'

/** `actions`: the first is what `by` must be able to do; the others come to the same and are nobody's. */
type Use = { what: string; actions: readonly [string, ...string[]]; by: readonly string[] }
type WatchedKey = {
  name: string
  arn: string
  kind: { called: string; spec: string; usage: string }
  uses: readonly Use[]
  /** What to do if others could use it. */
  misused: string
}

const SIGNS = { called: 'signing key of P-256', spec: 'ECC_NIST_P256', usage: 'SIGN_VERIFY' }
const AUTHENTICATES = { called: 'HMAC key of 256 bits', spec: 'HMAC_256', usage: 'GENERATE_VERIFY_MAC' }
const SEALS = { called: 'symmetric key', spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT' }

const TAKE_BACK = 'If anybody else could use it: docs/runbook.md says what to take back.'

/** Each key that signs, authenticates or seals is on, and serves the functions that were deployed to use it, and nobody else. */
export async function keyLines({ session: { kms }, deployment, outputs }: Patient): Promise<DoctorLine[]> {
  const keys = watchedKeys(outputs)
  const lines = await Promise.all(
    keys.map(async (key) =>
      (await faultsOf(kms, key, putBack(deployment, 'State'))).map(({ says, mend }) =>
        fail('key-policy', `The ${key.name} key ${says}.`, `${mend} ${key.misused}`),
      ),
    ),
  )
  const faults = lines.flat()
  const said = `Each of the ${keys.length} keys that sign, authenticate or seal serves its own functions and nobody else.`
  return faults.length > 0 ? faults : [ok('key-policy', said)]
}

function watchedKeys(outputs: Outputs): WatchedKey[] {
  const signing: Record<SigningPurpose, readonly [string, readonly string[]]> = {
    plan: [outputs.PlanKeyArn, outputs.PlanSignerArns],
    approval: [outputs.ApprovalKeyArn, outputs.ApprovalSignerArns],
    evidence: [outputs.EvidenceKeyArn, outputs.EvidenceSignerArns],
    anchor: [outputs.AnchorKeyArn, outputs.AnchorSignerArns],
  }
  const { MacKeyUsers, TokenKeyUsers: token } = outputs
  return [
    ...SIGNING_PURPOSES.map(
      (name): WatchedKey => ({
        ...{ name, arn: signing[name][0], kind: SIGNS },
        uses: [{ what: 'sign', actions: ['kms:Sign'], by: signing[name][1] }],
        misused: 'If anybody else could sign: change the key, and judge anew what it signed since.',
      }),
    ),
    ...MAC_PURPOSES.map((purpose): WatchedKey => {
      const { key: arn, makers, checkers } = MacKeyUsers[purpose]
      return {
        ...{ name: purpose.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`), arn, kind: AUTHENTICATES },
        uses: [
          { what: 'make codes', actions: ['kms:GenerateMac'], by: makers },
          { what: 'check codes', actions: ['kms:VerifyMac'], by: checkers },
        ],
        misused: TAKE_BACK,
      }
    }),
    {
      ...{ name: 'token', arn: token.key, kind: SEALS },
      uses: [
        { what: 'seal', actions: ['kms:Encrypt', 'kms:ReEncryptTo'], by: token.sealers },
        { what: 'open what it sealed', actions: ['kms:Decrypt', 'kms:ReEncryptFrom'], by: token.openers },
      ],
      misused: TAKE_BACK,
    },
  ]
}

async function faultsOf(
  kms: KMSClient,
  { arn: KeyId, kind, uses }: WatchedKey,
  policyBack: string,
): Promise<{ says: string; mend: string }[]> {
  const [{ KeyMetadata }, { Policy }, grants] = await Promise.all([
    kms.send(new DescribeKeyCommand({ KeyId })),
    kms.send(new GetKeyPolicyCommand({ KeyId, PolicyName: 'default' })),
    grantsOn(kms, KeyId),
  ])
  const faults: { says: string; mend: string }[] = []
  const wrong = (says: string, mend = policyBack) => faults.push({ says, mend })
  const on = `Switch it on: aws kms enable-key --key-id ${KeyId} (after cancel-key-deletion where it is being deleted).`
  if (KeyMetadata?.KeyState !== 'Enabled') wrong(`is ${KeyMetadata?.KeyState ?? 'not there'}`, on)
  if (KeyMetadata?.KeySpec !== kind.spec || KeyMetadata.KeyUsage !== kind.usage) wrong(`is no ${kind.called}`)
  const allowed = readPolicy(Policy).filter(({ effect }) => effect === 'Allow')
  const may = (...asked: string[]) => [
    ...new Set(
      allowed
        .filter(({ actions }) => actions.some((pattern) => asked.some((action) => covers(pattern, action))))
        .flatMap(({ principals }) => principals),
    ),
  ]
  for (const { what, actions, by } of uses) {
    const others = may(...actions).filter((principal) => !by.includes(principal))
    if (others.length > 0) wrong(`may be used to ${what} by ${others.join(', ')}`)
    const able = may(actions[0])
    const unable = by.filter((role) => !able.includes(role))
    if (unable.length > 0) wrong(`may not be used by ${unable.join(', ')}, which must ${what} with it`)
  }
  const [, partition, , , account] = KeyId.split(':')
  const rulers = may('kms:PutKeyPolicy').filter((principal) => principal !== `arn:${partition}:iam::${account}:root`)
  if (rulers.length > 0) wrong(`may be given another policy by ${rulers.join(', ')}`)
  const granting = may('kms:CreateGrant')
  if (granting.length > 0) wrong(`may be granted to others by ${granting.join(', ')}`)
  for (const { GranteePrincipal, GrantId, Operations = [] } of grants)
    wrong(
      `is granted to ${GranteePrincipal} (${Operations.join(', ')})`,
      `Take it back: aws kms revoke-grant --key-id ${KeyId} --grant-id ${GrantId}.`,
    )
  return faults
}

async function grantsOn(kms: KMSClient, KeyId: string): Promise<GrantListEntry[]> {
  const found: GrantListEntry[] = []
  let Marker: string | undefined
  do {
    const page = await kms.send(new ListGrantsCommand({ KeyId, ...(Marker === undefined ? {} : { Marker }) }))
    found.push(...(page.Grants ?? []))
    Marker = page.Truncated === true ? page.NextMarker : undefined
  } while (Marker !== undefined)
  return found
}
