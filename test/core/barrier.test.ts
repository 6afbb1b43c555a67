import { describe, expect, test } from 'vitest'
import { authorise, type BarrierInput } from '../../layers/core/barrier.ts'
import { canonicalBytes, digestOf } from '../../layers/core/canonical-json.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import type { ApprovalPredicate, AuditEntry } from '../../layers/core/schemas/governance.ts'
import type { Plan } from '../../layers/core/schemas/plan.ts'
import type { Policy } from '../../layers/core/schemas/policy.ts'
import { PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import { hybridForm } from '../support/hybrid-key.ts'
import { keys, malleated, trust } from './support/keys.ts'
import { type PasskeyPair, passkeyOver, passkeyPair } from './support/passkey.ts'
import { AUTHOR, approvalOf, NOW, planOf, planPredicateOf, signedApprovalOf, signedPlanOf, takenEntry } from './support/plan.ts'

type Who = Partial<Record<'tech_lead' | 'data_owner' | 'security', Partial<ApprovalPredicate>>>

/** Everything a worker is given when all is well, with single things changed. */
async function inputOf(
  over: { plan?: Plan; signedPlan?: Uint8Array; who?: Who; input?: Partial<BarrierInput> } = {},
): Promise<BarrierInput> {
  const plan = over.plan ?? planOf()
  const planBytes = canonicalBytes(plan)
  const signedPlan = over.signedPlan ?? (await signedPlanOf(plan))
  const subjects = { tech_lead: sha256(planBytes), data_owner: sha256(signedPlan), security: sha256(signedPlan) }
  const approvals: Uint8Array[] = []
  const log: AuditEntry[] = []
  for (const role of ['tech_lead', 'data_owner', 'security'] as const) {
    const transition = role === 'tech_lead' ? 'PLAN_DRAFTED->PLANNED' : 'PLANNED->EXECUTED'
    const approval = approvalOf(transition, role, subjects[role], over.who?.[role])
    const bytes = await signedApprovalOf(approval)
    approvals.push(bytes)
    log.push(takenEntry(approval, bytes))
  }
  return {
    planBytes,
    signedPlan,
    approvals,
    log,
    trust,
    policy: defaultPolicy,
    now: NOW,
    purpose: 'write',
    scope: { project_id: 'prj-one', table_ids: ['airports'] },
    ...over.input,
  }
}

function refusal(input: BarrierInput): WaybillError {
  try {
    authorise(input)
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'PLAN_NOT_AUTHORISED') return error
    throw error
  }
  throw new Error('the barrier let it pass')
}

/** Refused, and for the reason that was provoked, not for another one. */
function refusedBecause(input: BarrierInput, reason: RegExp): void {
  const { details } = refusal(input)
  expect(details.length).toBeGreaterThan(0)
  for (const detail of details) expect(detail).toMatch(reason)
}

describe('the barrier', () => {
  test('opens for a plan that is signed, approved, fresh and in scope, and gives back that plan', async () => {
    expect(authorise(await inputOf())).toEqual(planOf())
    expect(authorise(await inputOf({ input: { purpose: 'read' } }))).toEqual(planOf())
    expect(authorise(await inputOf({ input: { scope: { project_id: 'prj-one' } } }))).toEqual(planOf())
  })

  test('refuses an unsigned plan', async () => {
    const input = await inputOf()
    for (const bytes of [new Uint8Array(), input.planBytes, Buffer.from('{}'), Buffer.from('null')]) {
      expect(refusal({ ...input, signedPlan: bytes }).details).toContainEqual(expect.stringMatching(/no DSSE envelope/))
    }
  })

  test('refuses a plan altered in any byte', async () => {
    const input = await inputOf()
    for (let at = 0; at < input.planBytes.length; at += 7) {
      const planBytes = Uint8Array.from(input.planBytes, (byte, index) => (index === at ? byte ^ 1 : byte))
      expect(refusal({ ...input, planBytes }).details).toContainEqual(expect.stringMatching(/altered/))
    }
  })

  test('refuses a plan whose bytes say something twice, even when exactly those bytes were signed', async () => {
    const text = Buffer.from(canonicalBytes(planOf())).toString().replace('{"archetype"', '{"title":"harmless","archetype"')
    const planBytes = Buffer.from(text)
    const signedPlan = await signedPlanOf(planOf(), { planSha256: sha256(planBytes) })
    expect(refusal({ ...(await inputOf({ signedPlan })), planBytes }).details).toContainEqual(expect.stringMatching(/stands twice/))
  })

  test('refuses a plan of another shape', async () => {
    const planBytes = canonicalBytes({ ...planOf(), sql: 'DROP TABLE airports' })
    const signedPlan = await signedPlanOf(planOf(), { planSha256: sha256(planBytes) })
    refusedBecause({ ...(await inputOf({ signedPlan })), planBytes }, /no plan/)
  })

  test('refuses an unapproved plan, and says who is missing', async () => {
    const { details } = refusal(await inputOf({ input: { approvals: [] } }))
    expect(details.join('\n')).toMatch(/no tech_lead approved[\s\S]*no data_owner approved[\s\S]*no security approved/)
    const input = await inputOf()
    for (const [at, role] of [/tech_lead/, /data_owner/, /security/].entries()) {
      refusedBecause({ ...input, approvals: input.approvals.toSpliced(at, 1) }, role)
    }
  })

  test('refuses an expired plan for writing, from the very millisecond on, and reads it', async () => {
    const expires = Date.parse(planOf().expires_at)
    expect(authorise(await inputOf({ input: { now: new Date(expires - 1) } }))).toBeDefined()
    refusedBecause(await inputOf({ input: { now: new Date(expires) } }), /expired/)
    refusedBecause(await inputOf({ input: { now: new Date(Number.NaN) } }), /expired/)
    expect(authorise(await inputOf({ input: { now: new Date(expires * 2), purpose: 'read' } }))).toBeDefined()
  })

  test('refuses a plan signed under another policy version, or under another text of the same version', async () => {
    const renamed: Policy = { ...defaultPolicy, version: '2026.2' }
    const relaxed: Policy = { ...defaultPolicy, retention_days: 2 }
    refusedBecause(await inputOf({ input: { policy: renamed } }), /policy 2026\.1 .*, and 2026\.2 .* in force now\. Plan again/)
    refusedBecause(await inputOf({ input: { policy: relaxed } }), /policy 2026\.1 .* in force now\. Plan again/)
    refusedBecause(
      await inputOf({ input: { policy: relaxed, madeUnder: defaultPolicy } }),
      /changed: retention_days from 1 to 2\. Plan again/,
    )
    refusedBecause(await inputOf({ input: { policy: renamed, madeUnder: relaxed } }), /in force now\. Plan again/)
    expect(authorise(await inputOf({ input: { policy: renamed, purpose: 'read' } }))).toBeDefined()
  })

  test('refuses a plan made with other rulebooks, for reading too', async () => {
    const other = 'cd'.repeat(32)
    const coercion = planOf({ rulebooks: { ...planOf().rulebooks, type_coercion_sha256: other } })
    const hashing = planOf({ rulebooks: { ...planOf().rulebooks, hashing_spec_sha256: other } })
    for (const purpose of ['write', 'read'] as const) {
      refusedBecause(await inputOf({ plan: coercion, input: { purpose } }), /type coercion rulebook/)
      refusedBecause(await inputOf({ plan: hashing, input: { purpose } }), /hashing spec/)
    }
  })

  test('refuses work out of scope', async () => {
    refusedBecause(await inputOf({ input: { scope: { project_id: 'prj-two', table_ids: [] } } }), /prj-two|another project|no \w+ approved/)
    refusedBecause(
      await inputOf({ input: { scope: { project_id: 'prj-one', table_ids: ['airports', 'salaries'] } } }),
      /salaries is out of/,
    )
  })

  test('one person is one person: the same address, a tag, a dot, another case', async () => {
    for (const approver of ['dora@example.com', 'DORA@Example.COM', 'dora+security@example.com', 'd.o.r.a@example.com']) {
      refusedBecause(await inputOf({ who: { security: { approver } } }), /person of its own/)
    }
  })

  test('one person is one person across both gates', async () => {
    refusedBecause(await inputOf({ who: { security: { approver: 'tess+2@example.com' } } }), /two roles/)
  })

  test('the same approval twice, or in another envelope, is one approval', async () => {
    const input = await inputOf()
    const [first, second] = input.approvals as [Uint8Array, Uint8Array]
    refusedBecause({ ...input, approvals: [first, second, second] }, /no security/)
    const again = await signedApprovalOf(approvalOf('PLANNED->EXECUTED', 'data_owner', sha256(input.signedPlan)))
    const log = [...input.log, takenEntry(approvalOf('PLANNED->EXECUTED', 'data_owner', sha256(input.signedPlan)), again)]
    refusedBecause({ ...input, approvals: [first, second, again], log }, /no security/)
  })

  test('refuses an approval that is signed and that the audit log does not know, or knows as another one', async () => {
    const input = await inputOf()
    for (const at of [0, 1, 2]) {
      const log = input.log.toSpliced(at, 1)
      const { role } = input.log[at]!.details
      refusedBecause({ ...input, log }, new RegExp(`no ${role} approved|the audit log knows no approval of .* as ${role}`))
    }
    const [taken, ...others] = input.log
    const details = { ...taken!.details, statement_sha256: 'ef'.repeat(32) }
    refusedBecause({ ...input, log: [{ ...taken!, details }, ...others] }, /no tech_lead|the audit log knows no approval/)
  })

  test('refuses an approval whose request the log says was handed on, also when both are there', async () => {
    const input = await inputOf()
    const { details } = input.log[2]!
    const handedOn = { ...input.log[2]!, details: { ...details, decision: 'DELEGATED' } }
    refusedBecause({ ...input, log: [...input.log, handedOn] }, /no security|the audit log knows no approval/)
  })

  test('one passkey is one person, whoever registered it: it fills no two roles', async () => {
    const signedPlan = await signedPlanOf(planOf())
    const one = passkeyPair()
    const about = (role: 'data_owner' | 'security', pair: PasskeyPair, spelled = (pem: string) => pem) => {
      const { approval_id, subject_sha256 } = approvalOf('PLANNED->EXECUTED', role, sha256(signedPlan))
      const passkey = passkeyOver({ approval_id, subject_sha256 }, pair)
      return { identified_by: 'passkey' as const, passkey: { ...passkey, public_key: spelled(passkey.public_key) } }
    }
    const with_ = (security: Partial<ApprovalPredicate>) => inputOf({ signedPlan, who: { data_owner: about('data_owner', one), security } })
    expect(authorise(await with_(about('security', passkeyPair())))).toEqual(planOf())
    for (const spelled of [(pem: string) => pem, (pem: string) => pem.replaceAll('\n', '\r\n'), hybridForm])
      refusedBecause(await with_(about('security', one, spelled)), /one and the same passkey|person of its own/)
  })

  test('the author approves nothing, under no spelling', async () => {
    for (const role of ['tech_lead', 'data_owner', 'security'] as const) {
      refusedBecause(await inputOf({ who: { [role]: { approver: AUTHOR } } }), new RegExp(`author|no ${role} approved`))
      refusedBecause(await inputOf({ who: { [role]: { approver: 'AnaAuthor+x@example.com' } } }), new RegExp(`author|no ${role} approved`))
    }
  })

  test('one rejection is enough, even beside all approvals', async () => {
    const input = await inputOf()
    for (const [transition, subject] of [
      ['PLAN_DRAFTED->PLANNED', sha256(input.planBytes)],
      ['PLANNED->EXECUTED', sha256(input.signedPlan)],
    ] as const) {
      const rejection = await signedApprovalOf(
        approvalOf(transition, 'security', subject, {
          decision: 'REJECTED',
          approver: 'second.security@example.com',
          reason: 'not on a Friday',
        }),
      )
      refusedBecause({ ...input, approvals: [...input.approvals, rejection] }, /rejected/)
    }
  })

  test('refuses a plan signed by another key, also by the one for approvals', async () => {
    for (const key of [keys.stranger, keys.approval, keys.evidence]) {
      const signedPlan = await signedPlanOf(planOf(), { signer: key.signer })
      const says = key === keys.stranger ? /does not hold under any/ : /was signed with the (approval|evidence) key; only the plan key/
      refusedBecause(await inputOf({ signedPlan }), says)
    }
  })

  test('refuses approvals signed by another key, also by the one for plans', async () => {
    for (const key of [keys.stranger, keys.plan]) {
      const input = await inputOf()
      const forged = await signedApprovalOf(approvalOf('PLANNED->EXECUTED', 'security', sha256(input.signedPlan)), key.signer)
      const says = key === keys.stranger ? /does not hold under any|no security/ : /was signed with the plan key|no security/
      refusedBecause({ ...input, approvals: [...input.approvals.slice(0, 2), forged] }, says)
    }
  })

  test('a key id that names the trusted key helps nobody', async () => {
    const posing = { ...keys.stranger.signer, keyId: keys.plan.signer.keyId }
    refusedBecause(await inputOf({ signedPlan: await signedPlanOf(planOf(), { signer: posing }) }), /does not hold under any/)
  })

  test('refuses another payload type, and a signature anybody could derive', async () => {
    const input = await inputOf()
    const file = JSON.parse(Buffer.from(input.signedPlan).toString())
    const typed = Buffer.from(JSON.stringify({ ...file, payloadType: 'application/json' }))
    expect(refusal({ ...input, signedPlan: typed }).details).toContainEqual(expect.stringMatching(/no DSSE envelope/))
    const twin = Buffer.from(malleated(Buffer.from(file.signatures[0].sig, 'base64'))).toString('base64')
    const derived = Buffer.from(JSON.stringify({ ...file, signatures: [{ ...file.signatures[0], sig: twin }] }))
    expect(refusal({ ...input, signedPlan: derived }).details).toContainEqual(expect.stringMatching(/does not hold/))
  })

  test('an approval statement is not a signed plan, and a plan statement no approval', async () => {
    const input = await inputOf()
    const asPlan = await signStatement(
      keys.plan.signer,
      statementOf({
        predicateType: PREDICATES.approval,
        subject: [{ name: 'p', sha256: sha256(input.planBytes) }],
        predicate: planPredicateOf(planOf()),
      }),
    )
    expect(refusal({ ...input, signedPlan: asPlan.bytes }).details).toContainEqual(expect.stringMatching(/was expected/))
    expect(refusal({ ...input, approvals: [...input.approvals, input.signedPlan] }).details).toContainEqual(
      expect.stringMatching(/was signed with the plan key; only the approval key may say this/),
    )
  })

  test('approvals of another plan version do not count for this one', async () => {
    const before = await inputOf()
    const plan = planOf({ plan_version: 2, title: 'Airports, again' })
    const now = await inputOf({ plan })
    const log = [...before.log, ...now.log]
    refusedBecause({ ...now, log, approvals: before.approvals }, /another version|no (tech_lead|data_owner|security) approved/)
    refusedBecause({ ...now, log, approvals: [before.approvals[0]!, ...now.approvals.slice(1)] }, /another version|no tech_lead/)
  })

  test('approvals of the same plan signed anew do not open the second gate', async () => {
    const first = await inputOf()
    const signedPlan = await signedPlanOf(planOf(), { predicate: { signed_at: '2026-03-02T11:00:00.000Z' } })
    refusedBecause({ ...first, signedPlan }, /another version|no (data_owner|security) approved/)
  })

  test('approvals of another project, another gate, or about another file do not count', async () => {
    refusedBecause(await inputOf({ who: { security: { project_id: 'prj-two' } } }), /another project|no security/)
    refusedBecause(await inputOf({ who: { security: { transition: 'CUTOVER_READY->CUTOVER_DONE' } } }), /no security/)
    const input = await inputOf()
    const predicate = approvalOf('PLANNED->EXECUTED', 'security', sha256(input.signedPlan))
    const crossed = await signedApprovalOf(predicate, keys.approval.signer, 'ef'.repeat(32))
    refusedBecause({ ...input, approvals: [...input.approvals.slice(0, 2), crossed] }, /other than its subject|no security/)
  })

  test.each<[string, NonNullable<Parameters<typeof planPredicateOf>[1]>]>([
    ['project', { project_id: 'prj-two' }],
    ['plan version', { plan_version: 7 }],
    ['author', { author: 'somebody.else@example.com' }],
    ['expiry', { expires_at: '2036-03-05T09:00:00.000Z' }],
    ['archetype', { archetype_sha256: 'cd'.repeat(32) }],
  ])('plan and signature must agree about the %s', async (what, predicate) => {
    const input = await inputOf({ signedPlan: await signedPlanOf(planOf(), { predicate }) })
    refusedBecause(input, new RegExp(`disagree about the ${what}|another ${what} than this release`))
    expect(refusal(input).details).toContain(`plan and signature disagree about the ${what}`)
  })

  test('a signature over several plans is over none', async () => {
    const statement = statementOf({
      predicateType: PREDICATES.plan,
      subject: [
        { name: 'a', sha256: digestOf(planOf()) },
        { name: 'b', sha256: 'cd'.repeat(32) },
      ],
      predicate: planPredicateOf(planOf()),
    })
    refusedBecause(await inputOf({ signedPlan: (await signStatement(keys.plan.signer, statement)).bytes }), /altered/)
  })

  test('names every reason at once', async () => {
    const { details, message } = refusal(
      await inputOf({
        input: {
          approvals: [],
          now: new Date('2027-01-01T00:00:00.000Z'),
          policy: { ...defaultPolicy, version: 'x' },
          scope: { project_id: 'prj-two', table_ids: ['t'] },
        },
      }),
    )
    for (const reason of [/expired/, /policy x|policy 2026/, /in force now/, /prj-two/, /table t/, /tech_lead/, /data_owner/, /security/]) {
      expect(details.join('\n')).toMatch(reason)
    }
    expect(message).toContain(details[0])
  })

  test('reading asks for the approvals of the policy that is passed in', async () => {
    const stricter: Policy = {
      ...defaultPolicy,
      approvals: { ...defaultPolicy.approvals, 'PLANNED->EXECUTED': ['data_owner', 'security', 'dba'] },
    }
    refusedBecause(await inputOf({ input: { policy: stricter, purpose: 'read' } }), /no dba/)
    refusedBecause(await inputOf({ input: { approvals: [], purpose: 'read' } }), /approved/)
  })

  test('an empty trust root trusts nobody', async () => {
    const input = await inputOf({ input: { trust: { plan: [], approval: [], evidence: [], anchor: [] } } })
    expect(refusal(input).details).toContainEqual(expect.stringMatching(/0 trusted keys/))
  })
})
