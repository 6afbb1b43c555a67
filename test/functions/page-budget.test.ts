import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { planPageFor } from '../../functions/approval-page/plan-view.ts'
import { MAX_BYTES, pageFor } from '../../functions/approval-page/view.ts'
import { aboutPlan } from '../../functions/work/plan-link.ts'
import { SCRIPT } from '../../layers/core/approval-page/passkey-script.ts'
import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import { keyOf } from '../../layers/core/flow/storing.ts'
import type { ArtifactPointer } from '../../layers/core/schemas/common.ts'
import type { ProjectRecord } from '../../layers/core/schemas/project.ts'
import { type Asked, askedFor } from './support/asked.ts'
import { PEOPLE, specText } from './support/story.ts'

/** What docs/approvals.md promises: everything that a browser loads for one page. */
const ALL_TOLD = 100_000
/** As long as they are. */
const TOKENS = { linkToken: 'l'.repeat(43), formToken: `${'0'.repeat(8)}.${'f'.repeat(64)}` }
const HOSTILE = '\u202E<&"'

let asked: Asked
let project: ProjectRecord
beforeAll(async () => {
  asked = await askedFor((mail) => mail.to === PEOPLE.tech_lead, {
    host: 'localhost',
    policy: {
      asking: { passkey_roles: ['tech_lead'], delegation: { roles: ['data_owner'], at_most: 1 } },
      waivers: { role: 'engineering_manager', rules: ['tolerance-validator'], severities: ['ERROR'], max_days: 30 },
    },
  })
  const { artifacts, projects } = asked.on.ports
  const small = await projects.get(asked.projectId)
  const put = (name: string, value: unknown): Promise<ArtifactPointer> =>
    artifacts.put(keyOf(small.project_id, name, 'wide'), canonicalBytes(value), {
      contentType: 'application/json',
      retainUntil: new Date(),
    })
  const plan = JSON.parse(Buffer.from(await artifacts.get(small.artifacts.migration_plan!)).toString('utf8'))
  const [table] = plan.tables
  plan.tables = Array.from({ length: 10 }, (_, at) => ({
    ...table,
    table_id: `t${at}`,
    columns: Array.from({ length: 100 }, (_, n) => ({ ...table.columns[0], target: `${HOSTILE.repeat(30)}${n}` })),
  }))
  const migration_plan = await put('migration_plan', plan)
  const found = JSON.parse(Buffer.from(await artifacts.get(small.artifacts.findings!)).toString('utf8'))
  const findings = Array.from({ length: 60 }, (_, at) => ({
    rule_id: at % 2 === 0 ? 'tolerance-validator' : 'sampling-validator',
    verdict: 'fail',
    severity: 'ERROR',
    what: `${at} ${HOSTILE.repeat(400)}`,
    where: `/${HOSTILE.repeat(100)}`,
    remedy: HOSTILE.repeat(200),
  }))
  const spec = JSON.parse(specText())
  spec.approvers.push({ role: 'engineering_manager', email: 'mara.manager@example.com' })
  project = {
    ...small,
    artifacts: {
      ...small.artifacts,
      migration_plan,
      spec: await put('spec', spec),
      findings: await put('findings', { ...found, plan_sha256: migration_plan.sha256, verdict: 'fail', findings }),
    },
  }
}, 60_000)
afterAll(() => asked.close())

it('is promised once, and is what these tests hold the pages to', () => {
  const docs = readFileSync(new URL('../../docs/approvals.md', import.meta.url), 'utf8')
  expect(docs.match(/\d[\d,]+ (bytes|KB)/g)).toEqual([`${ALL_TOLD.toLocaleString('en')} bytes`])
  expect(MAX_BYTES + Buffer.byteLength(SCRIPT)).toBeLessThan(ALL_TOLD)
})

it('holds for an approval with its script, of a thousand columns with the longest names', async () => {
  const [request] = (await asked.on.ports.approvals.byProject(asked.projectId)).filter(({ role }) => role === 'tech_lead')
  const { body } = await pageFor(asked.on.ports, request!, project, TOKENS, { faults: [], reason: HOSTILE.repeat(500), answers: {} })
  expect(Buffer.byteLength(body) + Buffer.byteLength(SCRIPT)).toBeLessThan(ALL_TOLD)
  expect(body).toMatch(/more (columns|tables) are not shown here/)
})

it('holds for a waiver and for a withdrawal of such a plan, and the waiver says how many findings it does not show', async () => {
  const typed = { faults: ['Something is missing.'], reason: HOSTILE.repeat(500), finding: '', days: '7' }
  for (const page of ['waivers', 'plans'] as const) {
    const { body } = await planPageFor(asked.on.ports, await aboutPlan(asked.on.ports, page, project), TOKENS, typed)
    expect([page, Buffer.byteLength(body) < ALL_TOLD]).toEqual([page, true])
    if (page === 'waivers') expect(body).toMatch(/\d+ more findings keep this plan from being signed/)
  }
})
