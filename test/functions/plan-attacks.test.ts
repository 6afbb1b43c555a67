import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { nextEntry } from '../../layers/core/audit-chain.ts'
import { canonicalJson } from '../../layers/core/canonical-json.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import { approvalStatements } from '../../layers/core/flow/project-artifacts.ts'
import { advance } from '../../layers/core/project-service.ts'
import { approvalPredicate, type PlanPredicate, planPredicate } from '../../layers/core/schemas/governance.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import type { WorkerTask } from '../../layers/core/schemas/work.ts'
import { openPredicate, PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import { keyPair, malleated } from '../core/support/keys.ts'
import { editRecord } from './support/edited-record.ts'
import { type TestPlatform, testPlatform } from './support/platform.ts'
import { storeSpec, tell } from './support/story.ts'

/**
 * A plan with all its approvals stands right before its execution, and somebody exchanges what a worker reads. Every attack must leave
 * both systems alone, give PLAN_NOT_AUTHORISED with the reason that was provoked, and stand in the audit log.
 */
let on: TestPlatform
let project: ProjectRecord
beforeAll(async () => {
  on = await testPlatform()
  const id = await storeSpec(on)
  on.failNext('plan-chunks', new Error('not yet'), 20)
  await tell(on, id)
  project = await advance(on.ports, id, { to: 'PLANNED', actor: 'test', action: 'STANDS_AGAIN' })
}, 120_000)
beforeEach(() => {
  editRecord(on.home, project)
  on.systems.touched.length = 0
  on.systems.opened.length = 0
})
afterAll(() => on.close())

let serial = 0
const put = (name: string, bytes: Uint8Array) =>
  on.ports.artifacts.put(`projects/${project.project_id}/hostile/${name}-${++serial}.json`, bytes, {
    contentType: 'application/json',
    retainUntil: new Date(),
  })

/** Exchanges the artifacts that the record names, as somebody with the database in hand could. */
async function exchanged(files: { migration_plan?: Uint8Array; signed_plan?: Uint8Array }): Promise<void> {
  const stored = await on.ports.projects.get(project.project_id)
  const artifacts = { ...stored.artifacts }
  for (const [name, bytes] of Object.entries(files)) artifacts[name] = await put(name, bytes)
  editRecord(on.home, { ...stored, artifacts })
}

const signedPlan = () => on.ports.artifacts.get(project.artifacts.signed_plan!)
const planText = async () => Buffer.from(await on.ports.artifacts.get(project.artifacts.migration_plan!)).toString('utf8')
type Envelope = { payload: string; payloadType: string; signatures: { keyid: string; sig: string }[] }
async function edited(edit: (envelope: Envelope) => void): Promise<Uint8Array> {
  const envelope = JSON.parse(Buffer.from(await signedPlan()).toString('utf8')) as Envelope
  edit(envelope)
  return Buffer.from(canonicalJson(envelope))
}

const task = (worker: WorkerTask['worker'], ids: string[] = []): WorkerTask => {
  return { worker, project_id: project.project_id, run_id: 'by-hand', items: null, ids }
}

async function refused(says: RegExp): Promise<void> {
  const error = await on.work(task('prepare-target')).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!isWaybillError(error)) throw new Error(`it was not refused: ${error}`)
  expect(error.code).toBe('PLAN_NOT_AUTHORISED')
  expect(error.details).toContainEqual(expect.stringMatching(says))
  expect([on.systems.touched, on.systems.opened]).toEqual([[], []])
  const entry = (await on.ports.audit.read(project.project_id)).at(-1)
  expect([entry?.action, entry?.actor]).toEqual(['WORK_REFUSED', 'waybill/prepare-target'])
  expect(entry?.details.why).toMatch(/not authorised/)
}

it('left alone, the plan is carried out: what follows is refused for what it is', async () => {
  await on.work(task('prepare-target'))
  expect(on.systems.touched).toEqual(['prepare'])
})

describe('the signed plan', () => {
  it('unsigned', async () => {
    await exchanged({ signed_plan: Buffer.from(await planText()) })
    await refused(/no DSSE envelope/)
  })

  it('without a signature in its envelope', async () => {
    await exchanged({ signed_plan: await edited((envelope) => void envelope.signatures.splice(0)) })
    await refused(/signature|envelope/)
  })

  it('signed again by another key, under the name of the trusted one', async () => {
    const { statement, predicate } = openPredicate(await signedPlan(), on.ports.trust, 'plan', planPredicate)
    const subject = statement.subject.map(({ name, digest }) => ({ name, sha256: digest.sha256 }))
    const signer = { ...keyPair().signer, keyId: on.ports.signers.plan.keyId }
    const forged = await signStatement(signer, statementOf({ predicateType: PREDICATES.plan, subject, predicate }))
    await exchanged({ signed_plan: forged.bytes })
    await refused(/signature/)
  })

  it('with the key id exchanged: the key id decides nothing, and nobody approved these bytes', async () => {
    const bytes = await edited(({ signatures }) => {
      signatures[0]!.keyid = 'local:somebody-else'
    })
    await exchanged({ signed_plan: bytes })
    await refused(/reviewed another version/)
  })

  it('with another payload type', async () => {
    await exchanged({
      signed_plan: await edited((envelope) => {
        envelope.payloadType = 'application/json'
      }),
    })
    await refused(/payload type|type|signature/i)
  })

  it('with the other form of its signature, which anybody can derive', async () => {
    const bytes = await edited(({ signatures }) => {
      signatures[0]!.sig = Buffer.from(malleated(Buffer.from(signatures[0]!.sig, 'base64'))).toString('base64')
    })
    await exchanged({ signed_plan: bytes })
    await refused(/signature/)
  })

  it('with base64 that lost its padding, or is written for URLs', async () => {
    const { signatures } = JSON.parse(Buffer.from(await signedPlan()).toString('utf8')) as Envelope
    // A DER signature of 70 to 72 bytes has padding in two of three cases; the payload is made to have some.
    const padded = await edited((envelope) => {
      envelope.payload = envelope.payload.replace(/=+$/, '')
      envelope.signatures[0]!.sig = signatures[0]!.sig.replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_')
    })
    await exchanged({ signed_plan: Buffer.from(padded) })
    await refused(Buffer.from(padded).equals(Buffer.from(await signedPlan())) ? /^$/ : /base64|signature|envelope/)
  })
})

/** Somebody with every key and the audit log signs these bytes and approves them: the plan file itself must still be refused. */
async function fullyApproved(planBytes: Uint8Array): Promise<void> {
  const { ports } = on
  const said: PlanPredicate = openPredicate(await signedPlan(), ports.trust, 'plan', planPredicate).predicate
  const subject = [{ name: 'migration_plan.json', sha256: sha256(planBytes) }]
  const envelope = (await signStatement(ports.signers.plan, statementOf({ predicateType: PREDICATES.plan, subject, predicate: said })))
    .bytes
  const old = (await approvalStatements(ports.artifacts, project.project_id)).map(
    (bytes) => openPredicate(bytes, ports.trust, 'approval', approvalPredicate).predicate,
  )
  for (const predicate of old.filter(({ approval_id }) => !approval_id.startsWith('again-'))) {
    const subjectSha256 = predicate.transition === 'PLAN_DRAFTED->PLANNED' ? sha256(planBytes) : sha256(envelope)
    const again = { ...predicate, approval_id: `again-${++serial}`, subject_sha256: subjectSha256 }
    const content = statementOf({
      predicateType: PREDICATES.approval,
      subject: [{ name: again.subject_name, sha256: subjectSha256 }],
      predicate: again,
    })
    const { bytes } = await signStatement(ports.signers.approval, content)
    await ports.artifacts.put(`projects/${project.project_id}/approvals/${again.approval_id}.dsse.json`, bytes, {
      contentType: 'application/json',
      retainUntil: new Date(),
    })
    const taken = {
      project_id: project.project_id,
      at: again.decided_at,
      actor: again.approver,
      action: 'DECISION_TAKEN',
      subject_sha256: subjectSha256,
      details: { statement_sha256: sha256(bytes), approval_id: again.approval_id, decision: again.decision, transition: again.transition },
    }
    await ports.audit.append(nextEntry(await ports.audit.head(project.project_id), taken))
  }
  await exchanged({ migration_plan: planBytes, signed_plan: envelope })
}

describe('a plan file that was signed and approved with every key', () => {
  it('with nothing hostile in it is carried out: the bytes below are refused for what they are', async () => {
    await fullyApproved(Buffer.from((await planText()).replace('"title":"', '"title":"Once more: ')))
    await on.work(task('prepare-target'))
    expect(on.systems.touched).toEqual(['prepare'])
  })

  it.each<[string, (text: string) => string, RegExp]>([
    ['a key that stands twice', (text) => text.replace('{', '{"title":"harmless",'), /stands twice/],
    ['a key that stands twice, once escaped', (text) => text.replace('{', '{"titl\\u0065":"harmless",'), /stands twice/],
    ['__proto__', (text) => text.replace('{', '{"__proto__":{"author":"nobody@example.com"},'), /__proto__/],
    [
      'an integer that a double rounds',
      (text) => text.replace(/"plan_version":\d+/, '"plan_version":9007199254740993'),
      /9007199254740991/,
    ],
    ['a number beyond every double', (text) => text.replace(/"plan_version":\d+/, '"plan_version":1e999'), /too big/],
    ['nesting without end', (text) => text.replace('{', `{"x":${'['.repeat(100_000)}${']'.repeat(100_000)},`), /nested deeper/],
    ['ten megabytes of what nobody reads', (text) => text.replace('{', `{"x":"${'y'.repeat(10_000_000)}",`), /no plan/],
    ['ten megabytes of one name', (text) => text.replace(/"title":"[^"]*"/, `"title":"${'y'.repeat(10_000_000)}"`), /no plan/],
    ['half a character', (text) => text.replace('"title":"', '"title":"\\ud800'), /lone surrogate/],
    ['text behind its end', (text) => `${text}{}`, /after the end/],
    ['a byte order mark', (text) => `\ufeff${text}`, /byte order mark/],
  ])('%s', async (_, hostile, says) => {
    const text = hostile(await planText())
    expect(text).not.toBe(await planText())
    await fullyApproved(Buffer.from(text))
    await refused(says)
  })

  it.each<[string, RegExp, string]>([
    ['another project', /"project_id":"[^"]+"/, '"project_id":"somebody-elses"'],
    ['another author', /"author":"[^"]+"/, '"author":"somebody@example.com"'],
    ['another expiry', /"expires_at":"[^"]+"/, '"expires_at":"2099-01-01T00:00:00.000Z"'],
    ['another archetype', /("archetype":\{"id":"[^"]+","sha256":")[0-9a-f]{64}/, `$1${'a'.repeat(64)}`],
    ['another policy', /("policy":\{"sha256":")[0-9a-f]{64}/, `$1${'b'.repeat(64)}`],
    ['another hashing spec', /("hashing_spec_sha256":")[0-9a-f]{64}/, `$1${'c'.repeat(64)}`],
  ])('about %s than its signature says', async (_, field, value) => {
    const text = (await planText()).replace(field, value)
    expect(text).not.toBe(await planText())
    await fullyApproved(Buffer.from(text))
    await refused(/plan and signature disagree|belongs to project/)
  })
})

describe('an executor started directly', () => {
  it('for a table outside the plan, whatever its name holds', async () => {
    for (const id of ['salaries', 'item-of-another-schema'])
      await expect(on.work(task('prepare-target', [id]))).rejects.toMatchObject({ code: 'PLAN_NOT_AUTHORISED' })
    await expect(on.work(task('prepare-target', ['item"; DROP TABLE item; --']))).rejects.toMatchObject({ code: 'BAD_INPUT' })
    expect([on.systems.touched, on.systems.opened]).toEqual([[], []])
    const refusals = (await on.ports.audit.read(project.project_id)).filter(({ action }) => action === 'WORK_REFUSED')
    expect(refusals.slice(-2).map(({ details }) => /salaries|item-of/.test(details.why ?? ''))).toEqual([true, true])
  })

  it('before its time, with a record edited to say that it may', async () => {
    const stored = await on.ports.projects.get(project.project_id)
    editRecord(on.home, { ...stored, state: 'EXECUTED' })
    await expect(on.work(task('hash-segments'))).rejects.toMatchObject({ code: 'PLAN_NOT_AUTHORISED' })
    expect([on.systems.touched, on.systems.opened]).toEqual([[], []])
    expect((await on.ports.audit.read(project.project_id)).at(-1)).toMatchObject({ action: 'WORK_REFUSED', actor: 'waybill/hash-segments' })
  })
})
