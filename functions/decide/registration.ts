import { verifyRegistrationResponse } from '@simplewebauthn/server'
import { cose, decodeAttestationObject, decodeCredentialPublicKey } from '@simplewebauthn/server/helpers'
import { z } from 'zod'
import { checkFormToken } from '../../layers/core/approval-page/form-token.ts'
import { type NoticeKind, notice } from '../../layers/core/approval-page/notice.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { JSON_TYPE, storeOnce } from '../../layers/core/flow/storing.ts'
import { record } from '../../layers/core/ledger.ts'
import type { HttpRequest, HttpResponse, Ports } from '../../layers/core/ports.ts'
import type { ApprovalRequest, PasskeyPredicate } from '../../layers/core/schemas/governance.ts'
import { PREDICATES, signStatement, statementOf } from '../../layers/core/statement.ts'
import { type OpeningDeps, opening } from '../approval-page/opening.ts'
import { atTheBrowser, type BrowserDeps } from '../approval-page/sign-in.ts'
import { jsonOf, type PasskeyDeps, passkeyKey, registrationSubject, relyingParty, spkiOf } from '../work/passkeys.ts'
import type { Form } from './form.ts'
import { recordRefusal, triedOf } from './refusal.ts'
import type { SettleDeps } from './settlement.ts'

type Deps = OpeningDeps & PasskeyDeps & SettleDeps & BrowserDeps

const ES256 = -7

const answer = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,1400}$/),
  clientDataJSON: z.string().max(4096),
  attestationObject: z.string().max(16_384),
})

/**
 * Registers a passkey for the invited person. Who may: whoever opens the registration link that was mailed to the invited address, and, where
 * an identity provider is configured, is signed in as that person. The passkey is stored as a statement signed by the approval key.
 */
export async function register(deps: Deps, http: HttpRequest, form: Form, approvalId: string): Promise<HttpResponse> {
  const opened = await opening(deps, approvalId, form.linkToken, 'passkeys')
  const { request } = opened
  if (request === null) return notice('unknown')
  const refused = async (why: NoticeKind, details: string[] = []) => {
    await recordRefusal(deps, triedOf(request), 'PASSKEY_REFUSED', why)
    return notice(why, details)
  }
  if (http.headers.origin !== new URL(deps.publicUrl).origin) return refused('bad-origin')
  if (!opened.open) return refused(opened.why, opened.details)
  const about = registrationSubject(request)
  const fresh = await checkFormToken(deps.macCheckers.page, about, request.subject.sha256, form.formToken, deps.clock.now())
  if (!fresh) return refused('stale-form')
  const who = await atTheBrowser(deps, http, request)
  if ('why' in who) return refused(who.why)

  // The page's challenge is its form token, which was just seen to be ours.
  const made = await verified(deps, form.passkey, form.formToken)
  if (made === null) return refused('passkey-refused')
  const predicate: PasskeyPredicate = {
    email: request.approver,
    credential_id: made.id,
    public_key: made.publicKey,
    rp_id: relyingParty(deps),
    registered_at: deps.clock.now().toISOString(),
    approval_id: request.approval_id,
  }
  const subject = [{ name: 'passkey', sha256: sha256(made.publicKey) }]
  await storeOnce(deps, await passkeyKey(deps, request.approver, made.id), JSON_TYPE, async () => {
    return (await signStatement(deps.signers.approval, statementOf({ predicateType: PREDICATES.passkey, subject, predicate }))).bytes
  })
  await audit(deps, request, 'PASSKEY_REGISTERED', { passkey_sha256: sha256(made.publicKey), rp_id: predicate.rp_id })
  return notice('REGISTERED')
}

/** Id and public key of a passkey that was made for us, here and now; null for anything else. */
async function verified(
  deps: Pick<Ports, 'publicUrl'>,
  sent: string,
  challenge: string,
): Promise<{ id: string; publicKey: string } | null> {
  const parsed = z.string().transform(jsonOf).pipe(answer).safeParse(sent)
  if (!parsed.success) return null
  const { id, clientDataJSON, attestationObject } = parsed.data
  try {
    const attestation = decodeAttestationObject(Buffer.from(attestationObject, 'base64url'))
    // Threat: certificates in an attestation name addresses that a library may fetch. We asked for none, and take none.
    const selfSigned = attestation.get('fmt') === 'packed' && attestation.get('attStmt').get('x5c') === undefined
    if (attestation.get('fmt') !== 'none' && !selfSigned) return null
    const { verified: holds, registrationInfo } = await verifyRegistrationResponse({
      response: { id, rawId: id, type: 'public-key', clientExtensionResults: {}, response: { clientDataJSON, attestationObject } },
      expectedChallenge: Buffer.from(challenge, 'latin1').toString('base64url'),
      expectedOrigin: new URL(deps.publicUrl).origin,
      expectedRPID: relyingParty(deps),
      requireUserVerification: true,
      supportedAlgorithmIDs: [ES256],
    })
    if (!holds) return null
    const key = decodeCredentialPublicKey(registrationInfo.credential.publicKey)
    if (!cose.isCOSEPublicKeyEC2(key)) return null
    const [x, y] = [key.get(cose.COSEKEYS.x), key.get(cose.COSEKEYS.y)]
    return x === undefined || y === undefined ? null : { id: registrationInfo.credential.id, publicKey: spkiOf(x, y) }
  } catch {
    // The library throws for everything that does not hold, with the reason in words for developers.
    return null
  }
}

async function audit(deps: Deps, request: ApprovalRequest, action: string, details: Record<string, string>): Promise<void> {
  await record(deps, request.project_id, {
    actor: request.approver,
    action,
    subject_sha256: request.subject.sha256,
    details: { approval_id: request.approval_id, role: request.role, ...details },
  })
}
