import { DescribeKeyCommand, GetKeyPolicyCommand, type GrantListEntry, type KMSClient, ListGrantsCommand } from '@aws-sdk/client-kms'
import { type DoctorLine, fail, ok, warn } from '../../../core/doctor.ts'
import { MAC_PURPOSES, SIGNING_PURPOSES, type SigningPurpose } from '../../../core/names.ts'
import type { Outputs } from '../stacks.ts'
import { candidates, type Permission, permission } from './permission.ts'
import { type Patient, putBack } from './place.ts'
import { readPolicy } from './policy.ts'

/** `actions`: the first is what `by` must be able to do; the others come to the same and are nobody's. */
type Use = { what: string; actions: readonly [string, ...string[]]; by: readonly string[] }
type Fault = { says: string; mend: string; on: readonly string[] }
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

/** Waybill's own policies hold no other: whatever this one asks, somebody else wrote it. */
const NOT_OURS = 'Nothing of Waybill writes such a condition; nobody here can say when it holds.'
/** What the functions say in a request to sign; whoever else asks chooses. */
const SIGNING = { 'kms:MessageType': 'DIGEST', 'kms:SigningAlgorithm': 'ECDSA_SHA_256' }
/** Only a request to sign has these keys; in any other a condition on them cannot be judged. */
const asking = (action: string, context: Readonly<Record<string, string>> | null) =>
  action === 'kms:Sign' ? { keys: Object.keys(SIGNING), context } : { keys: [], context }

const TAKE_BACK = 'If anybody else could use it: docs/runbook.md says what to take back.'

/** Each key that signs, authenticates or seals is on, and serves the functions that were deployed to use it, and nobody else. */
export async function keyLines({ session: { kms }, deployment, outputs }: Patient): Promise<DoctorLine[]> {
  const keys = watchedKeys(outputs)
  const lines = await Promise.all(
    keys.map(async (key) =>
      (await faultsOf(kms, key, putBack(deployment, 'State'))).map(({ says, mend, on }) =>
        on.length === 0
          ? fail('key-policy', `The ${key.name} key ${says}.`, `${mend} ${key.misused}`)
          : warn(
              'key-policy',
              `The ${key.name} key ${says}: this depends on a condition (statement ${on.join(', ')}).`,
              `${mend} ${NOT_OURS}`,
            ),
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

async function faultsOf(kms: KMSClient, { arn: KeyId, kind, uses }: WatchedKey, policyBack: string): Promise<Fault[]> {
  const [{ KeyMetadata }, { Policy }, grants] = await Promise.all([
    kms.send(new DescribeKeyCommand({ KeyId })),
    kms.send(new GetKeyPolicyCommand({ KeyId, PolicyName: 'default' })),
    grantsOn(kms, KeyId),
  ])
  const faults: Fault[] = []
  const wrong = (says: string, mend = policyBack) => faults.push({ says, mend, on: [] })
  const on = `Switch it on: aws kms enable-key --key-id ${KeyId} (after cancel-key-deletion where it is being deleted).`
  if (KeyMetadata?.KeyState !== 'Enabled') wrong(`is ${KeyMetadata?.KeyState ?? 'not there'}`, on)
  if (KeyMetadata?.KeySpec !== kind.spec || KeyMetadata.KeyUsage !== kind.usage) wrong(`is no ${kind.called}`)
  faults.push(...policyFaults(Policy, KeyId, uses).map((each) => ({ ...each, mend: policyBack })))
  for (const { GranteePrincipal, GrantId, Operations = [] } of grants)
    wrong(
      `is granted to ${GranteePrincipal} (${Operations.join(', ')})`,
      `Take it back: aws kms revoke-grant --key-id ${KeyId} --grant-id ${GrantId}.`,
    )
  return faults
}

/**
 * Who may use a key other than deployed, or may not though deployed, by the key's policy. `on`: the statements whose conditions decide it; none
 * where it is so in any case.
 */
export function policyFaults(policy: string | undefined, arn: string, uses: readonly Use[]): Omit<Fault, 'mend'>[] {
  const statements = readPolicy(policy)
  const [, partition, , , account] = arn.split(':')
  const root = `arn:${partition}:iam::${account}:root`
  const faults: Omit<Fault, 'mend'>[] = []
  const say = (found: readonly [string, Permission][], words: (who: string) => string) => {
    const certain = new Set(found.filter(([, { verdict }]) => verdict === 'yes').map(([who]) => who))
    if (certain.size > 0) faults.push({ says: words([...certain].join(', ')), on: [] })
    const unsure = found.filter(([who, { verdict }]) => verdict === 'depends' && !certain.has(who))
    for (const [who, all] of Map.groupBy(unsure, ([each]) => each))
      faults.push({ says: words(who), on: [...new Set(all.flatMap(([, { on }]) => on))] })
  }
  const others = (actions: readonly string[], known: readonly string[]): [string, Permission][] =>
    actions.flatMap((action) =>
      candidates(statements, action)
        .filter((principal) => !known.includes(principal))
        .map((principal): [string, Permission] => [
          principal,
          permission(statements, { principal, action, resource: arn, ...asking(action, null) }),
        ]),
    )
  for (const { what, actions, by } of uses) {
    say(others(actions, by), (who) => `may be used to ${what} by ${who}`)
    const own = by.map((principal): [string, Permission] => [
      principal,
      opposite(permission(statements, { principal, action: actions[0], resource: arn, ...asking(actions[0], SIGNING) })),
    ])
    say(own, (who) => `may not be used by ${who}, which must ${what} with it`)
  }
  say(others(['kms:PutKeyPolicy'], [root]), (who) => `may be given another policy by ${who}`)
  say(others(['kms:CreateGrant'], []), (who) => `may be granted to others by ${who}`)
  return faults
}

function opposite({ verdict, on }: Permission): Permission {
  return { verdict: verdict === 'yes' ? 'no' : verdict === 'no' ? 'yes' : 'depends', on }
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
