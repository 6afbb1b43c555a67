import { expect, it } from 'vitest'
import { chase } from '../../functions/decide/chase.ts'
import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import { sha256 } from '../../layers/core/digest.ts'
import { pae } from '../../layers/core/dsse.ts'
import { redactedPack } from '../../layers/core/evidence/redaction.ts'
import { keyOf } from '../../layers/core/flow/storing.ts'
import { memoryReader } from '../../layers/core/verifier/index.ts'
import { verifyRedactedPack } from '../../layers/core/verifier/redacted.ts'
import { testPlatform } from './support/platform.ts'
import { formOf, getRequest, postRequest, specText, tell } from './support/story.ts'
import { storedPack } from './support/written-pack.ts'

const MANAGER = 'mara.manager@example.com'

/**
 * Threat: a redacted pack names each withheld file with its SHA-256. Whoever knows, or tries out, everything that a statement says about a
 * person could compute the same digest, and so prove who approved.
 */
it('from the digests in a redacted pack nobody can tell who approved, waived or wrote the plan, knowing all but the salt', {
  timeout: 120_000,
}, async () => {
  const on = await testPlatform({
    policy: { waivers: { role: 'engineering_manager', rules: ['tolerance-validator'], severities: ['ERROR'], max_days: 30 } },
  })
  const id = `redacted-${process.pid}`
  const spec = JSON.parse(specText())
  spec.rollback_config = { auto_rollback_enabled: true, bps_rollback_threshold: 0.5 }
  spec.approvers.push({ role: 'engineering_manager', email: MANAGER })
  const bytes = Buffer.from(JSON.stringify(spec))
  await on.ports.artifacts.put(keyOf(id, 'spec', '1'), bytes, { contentType: 'application/json', retainUntil: new Date() })
  await tell(on, id)
  await chase(on.ports)
  const link = new URL(/https?:\/\/\S+\/waivers\/\S+/.exec(on.mails.findLast(({ to }) => to === MANAGER)!.text)![0])
  const fields = formOf((await on.http(getRequest(link))).body)
  for (const [name, value] of Object.entries({ decision: 'waive', reason: 'it stays', days: '7' })) fields.set(name, value)
  expect((await on.http(postRequest(link, fields))).status).toBe(200)
  expect((await tell(on, id)).project?.state).toBe('EVIDENCE_COMPLETE')
  const files = new Map((await storedPack(on, id)).map((file) => [file.path, file.bytes]))
  await on.close()

  const redacted = redactedPack(files)
  expect(await verifyRedactedPack(memoryReader(redacted))).toMatchObject({ consistent: true, faults: [] })
  // What still is a digest about people goes too, when asked.
  const anchors = [...files.keys()].filter((path) => /^audit\/anchors\/.*\.dsse\.json$/.test(path))
  expect(anchors.length).toBeGreaterThan(3)
  const fewer = redactedPack(files, ['audit_chain.json', ...anchors])
  expect(fewer.filter(({ path }) => /audit/.test(path))).toEqual([])
  expect(await verifyRedactedPack(memoryReader(fewer))).toMatchObject({ consistent: true, faults: [] })
  const list = redacted.find(({ path }) => path === 'redaction.json')!
  const { withheld } = JSON.parse(Buffer.from(list.bytes).toString()) as { withheld: { path: string; sha256: string }[] }
  const digests = new Set(withheld.map((file) => file.sha256))

  const statements = [...files].filter(([path]) => /^(approvals|waivers)\/[^/]+\.dsse\.json$|^plan\/signed_plan\.dsse\.json$/.test(path))
  expect(statements.length).toBeGreaterThan(6)
  for (const [path, envelope] of statements) {
    const { payload, payloadType } = JSON.parse(Buffer.from(envelope).toString()) as { payload: string; payloadType: string }
    const guess = (change: (predicate: Record<string, unknown>) => void) => {
      const statement = JSON.parse(Buffer.from(payload, 'base64').toString())
      change(statement.predicate)
      return digests.has(sha256(pae(payloadType, canonicalBytes(statement))))
    }
    // Computed like this the digest is the withheld one, so the guesses below would be found out if they were right.
    expect([path, guess(() => {})]).toEqual([path, true])
    expect([path, guess((predicate) => delete predicate.salt)]).toEqual([path, false])
    // As many possibilities as a key of 130 bits has.
    const [salt] = /"salt":"s-[a-z2-7]{26}"/.exec(Buffer.from(payload, 'base64').toString()) ?? []
    expect([path, salt]).toEqual([path, expect.any(String)])
  }
})
