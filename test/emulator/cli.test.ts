import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CloudFormationClient, CreateStackCommand } from '@aws-sdk/client-cloudformation'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { CreateEmailIdentityCommand, DeleteEmailIdentityCommand, SESv2Client } from '@aws-sdk/client-sesv2'
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { examineAccount, openAccount as openAwsAccount } from '../../functions/aws-account.ts'
import { dev } from '../../infra/config.ts'
import type { DoctorLine } from '../../layers/core/doctor.ts'
import { type Running, startWaybill } from '../end-to-end/command.ts'
import { openBrowser } from '../functions/support/browser.ts'
import { type Account, openAccount } from './harness/account.ts'
import { breakages, changeSchedule, type GitAnswers } from './harness/breakages.ts'
import { approveByMail } from './harness/people.ts'
import { openShop, type Shop } from './harness/shop.ts'

const HOOK = new URL('harness/terminal-hook.mjs', import.meta.url).pathname
const GUARDED: GitAnswers = {
  '': { default_branch: 'main', permissions: { push: true, admin: false } },
  '/branches/main': { protected: true },
  '/rules/branches/main': [{ type: 'pull_request', parameters: { required_approving_review_count: 1 } }],
}

let folder: string
let account: Account
let shop: Shop
let browser: Browser
let git: { server: Server; url: string; answers: GitAnswers }

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-cli-'))
  account = await openAccount(['-c', 'nightly=shop-night'])
  // CloudFormation's time zone of a schedule is dropped by the emulator; the template is asserted in test/infra.
  await changeSchedule(account.deployment.outputs, { ScheduleExpressionTimezone: dev.nightly.timeZone })
  shop = await openShop('shop')
  await account.storeSecret('waybill/dev/source/shop', shop.sourceUrl)
  for (const role of ['reader', 'writer']) await account.storeSecret(`waybill/dev/target/shop/${role}`, shop.targetUrl)
  browser = await openBrowser()
  const server = createServer((request, response) => {
    const found = git.answers[String(request.url).replace('/repos/example/data-platform', '')]
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(found ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  git = { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, answers: GUARDED }
  process.env.WAYBILL_TEST_GITHUB = git.url
  await import(HOOK)
})
afterAll(async () => {
  await browser?.close()
  await shop?.stop()
  await account?.close()
  git?.server.close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

function start(...args: string[]): Running {
  return startWaybill(args, { ...account.emulator.env, NODE_OPTIONS: `--import=${HOOK}`, HOME: folder })
}
const waybill = (...args: string[]) => start(...args).done

function specFile(id: string): string {
  const file = join(folder, `${id}.yaml`)
  writeFileSync(file, shop.spec(id))
  return file
}

const linesOf = (out: string) => (JSON.parse(out) as { lines: DoctorLine[] }).lines

/** Approvers decide while `work` goes on. */
async function withApprovers<T>(work: () => Promise<T>): Promise<T> {
  const over = new AbortController()
  const people = approveByMail(account.emulator, browser, over.signal, undefined, true)
  try {
    return await work()
  } finally {
    over.abort()
    await people
  }
}

describe('waybill doctor --aws', () => {
  it('finds a deployed account in order, and a spec’s secrets', async () => {
    const { code, out, err } = await waybill('doctor', '--aws', specFile('well'), '--json')
    expect(linesOf(out).filter(({ verdict }) => verdict !== 'ok')).toEqual([])
    expect([code, err]).toEqual([0, ''])
    const looked = new Set(linesOf(out).map(({ check }) => check))
    const all = 'stacks sender sandbox approvals endpoints subnets versions lock bucket-policy key-policy image schedules git-token secrets'
    expect([...looked].sort()).toEqual(all.split(' ').sort())
  })

  it('sees each of what can be wrong, says what to do, and sees it mended', async () => {
    const seen: unknown[] = []
    const harms = breakages(account, git, GUARDED)
    for (const { name, check, verdict, says, harm } of harms) {
      const mend = await harm()
      const { lines } = await examineAccount({}, null)
      const line = lines.find((each) => each.check === check && each.verdict === verdict)
      const others = lines.filter((each) => each.check !== check && each.verdict !== 'ok').map((each) => each.says)
      seen.push([name, line !== undefined && says.test(line.says), (line?.remedy ?? '') !== '', others])
      await mend?.()
    }
    expect(seen).toEqual(harms.map(({ name }) => [name, true, true, []]))
  })

  it('says which secrets a spec lacks, by their names', async () => {
    const file = join(folder, 'elsewhere.yaml')
    writeFileSync(file, shop.spec('elsewhere').replaceAll('/shop"', '/other"'))
    const { code, out } = await waybill('doctor', '--aws', file)
    expect(code).toBe(1)
    for (const name of ['source/other', 'target/other/reader', 'target/other/writer'])
      expect(out).toContain(`There is no secret waybill/dev/${name}`)
  })
})

describe('which deployment', () => {
  it('is told apart by region and stage, and said where it is half there', async () => {
    const nowhere = await waybill('status', '--aws', '--region', 'eu-west-3')
    expect([nowhere.code, nowhere.err]).toEqual([2, expect.stringContaining('There is no Waybill in the region eu-west-3')])
    const template = JSON.stringify({ Resources: { Topic: { Type: 'AWS::SNS::Topic' } } })
    const elsewhere = new CloudFormationClient({ region: 'eu-west-1' })
    await elsewhere.send(new CreateStackCommand({ StackName: 'Waybill-prod-State', TemplateBody: template }))
    const half = await waybill('status', '--aws', '--region', 'eu-west-1')
    expect([half.code, half.err]).toEqual([
      2,
      expect.stringMatching(/Waybill-prod is half deployed: .*EvidenceBucketName.*Network is not there/),
    ])
    expect(half.err.trimEnd().split('\n')).toHaveLength(1)
    const doctor = await waybill('doctor', '--region', 'eu-west-1')
    expect([doctor.code, doctor.out]).toEqual([1, expect.stringContaining('The stack Waybill-prod-Pipeline is not there.')])
    await elsewhere.send(new CreateStackCommand({ StackName: 'Waybill-dev-State', TemplateBody: template }))
    const two = await waybill('status', '--aws', '--region', 'eu-west-1')
    expect([two.code, two.err]).toEqual([2, expect.stringContaining('There are Waybill-dev and Waybill-prod')])
    expect((await waybill('status', '--stack', 'Waybill-dev')).code).toBe(0)
  })
})

describe('a migration from the command line', () => {
  it('is started once, watched, left alone by Ctrl-C, and watched again to its proof', async () => {
    const file = specFile('shop-1')
    const out = join(folder, 'out')
    expect((await waybill('status', '--aws')).out).toContain('waybill run --aws')
    const first = start('run', '--aws', file, '--out', out)
    await first.saw(/RequestApprovalForPlan/)
    first.child.kill('SIGINT')
    const left = await first.done
    expect([left.code, left.err]).toEqual([130, expect.stringContaining('goes on in the account')])

    await expect
      .poll(async () => (await waybill('status', '--aws')).out, { timeout: 60_000 })
      .toMatch(/shop-1 waits for tech.lead@example.com/)
    expect((await waybill('status', '--aws', 'shop-1')).out).toMatch(/shop-1-1, begun .* stands in RequestApprovalForPlan/)
    const asked = await waybill('approve', '--aws')
    expect(asked.out).toMatch(/shop-1 .*tech_lead .*mailed to tech.lead@example.com/)
    expect(asked.out).not.toMatch(/https?:|\?t=/)
    const second = await waybill('run', '--aws', file)
    expect([second.code, second.err]).toEqual([2, expect.stringMatching(/has a project shop-1 already, and it is running/)])
    expect(account.runner.list()).toEqual(['shop-1-1'])

    const done = await withApprovers(() => waybill('resume', '--aws', 'shop-1', '--out', out))
    expect([done.code, done.err]).toEqual([0, expect.stringContaining('going on with shop-1 (still running)')])
    expect(done.out).toContain('PROOF VALID')
    for (const state of ['CopyChunks', 'HashBatches', 'SealEvidence']) expect(done.err).toContain(`▸ ${state}`)
    expect(JSON.parse(readFileSync(join(out, 'recon_report.json'), 'utf8'))).toMatchObject({
      verdict: 'pass',
      tables: [{ target_rows: '400' }],
    })
  })

  it('is reported, reconciled again, and its evidence verified under the account’s keys', async () => {
    const report = await waybill('report', '--aws', 'shop-1', '--json')
    expect([report.code, JSON.parse(report.out)]).toEqual([0, expect.objectContaining({ proof_valid: true })])
    expect((await waybill('report', '--aws', 'shop-1', '--markdown')).out).toContain('# ')
    const verified = await waybill('verify', '--aws', 'shop-1')
    expect([verified.code, verified.out]).toEqual([0, expect.stringContaining('no independent witness')])
    expect(verified.err).toMatch(/files read, each in its first version; locked until/)
    const foreign = await waybill('verify', '--aws', 'shop-1', '--trust', `plan=${'0'.repeat(64)}`)
    expect([foreign.code, foreign.out]).toEqual([1, expect.stringContaining('Not verified')])
    const kept = join(folder, 'kept')
    expect((await waybill('verify', '--aws', 'shop-1', '--out', kept)).code).toBe(0)
    expect((await waybill('verify', kept)).code).toBe(0)

    const equal = await waybill('reconcile', '--aws', 'shop-1')
    expect([equal.code, equal.out]).toEqual([0, expect.stringMatching(/public.item → shop_1.item .*equal/)])
    await shop.tamper("UPDATE shop_1.item SET label = 'other' WHERE id = 7")
    const differs = await waybill('reconcile', '--aws', 'shop-1')
    expect([differs.code, differs.out]).toEqual([
      1,
      expect.stringMatching(/changed id=hmac:[0-9a-f]+ {2}label: hmac:[0-9a-f]+ → hmac:[0-9a-f]+ /),
    ])
  })

  it('has its audit log read and verified in the words of a home', async () => {
    const shown = await waybill('audit', 'show', '--aws', 'shop-1', '--details')
    expect([shown.code, shown.err, shown.out]).toEqual([
      0,
      '',
      expect.stringMatching(/^shop-1 {2}\d+ entries\n {3}0 {2}.* PROJECT_CREATED/),
    ])
    for (const action of ['PLAN_SIGNED', 'DECISION_TAKEN', 'OUTCOME_PROVEN']) expect(shown.out).toContain(action)
    const whole = await waybill('audit', 'verify', '--aws', 'shop-1')
    expect([whole.code, whole.out]).toEqual([
      0,
      expect.stringMatching(/^intact {2}shop-1: \d+ entries, \d+ anchors, in EVIDENCE_COMPLETE\.\n/),
    ])
    expect(whole.err).toContain('no independent witness')
    const nobody = await waybill('audit', 'show', '--aws', 'nobody')
    expect([nobody.code, nobody.err]).toEqual([
      2,
      expect.stringContaining('There is no audit log of nobody in Waybill-dev in eu-central-1'),
    ])
  })

  it('sees what somebody wrote into the table of the log, or laid over an anchor', async () => {
    const db = DynamoDBDocumentClient.from(new DynamoDBClient({}))
    const TableName = account.deployment.outputs.AuditTableName!
    const { Item } = await db.send(new GetCommand({ TableName, Key: { project_id: 'shop-1', seq: 1 } }))
    const verify = async () => {
      const { code, out } = await waybill('audit', 'verify', '--aws', 'shop-1')
      return { code, out }
    }
    for (const [body, says] of [
      [String(Item!.body).replace('agent/discovery', 'agent/discoverer'), /^BROKEN {2}shop-1: /],
      ['{', /^BROKEN {2}shop-1: An audit entry in its table is no JSON any more/],
      ['{}', /^BROKEN {2}shop-1: An audit entry in its table does not have its shape/],
    ] as const) {
      await db.send(new PutCommand({ TableName, Item: { ...Item, body } }))
      expect(await verify()).toEqual({ code: 1, out: expect.stringMatching(says) })
    }
    await db.send(new PutCommand({ TableName, Item }))
    // Somebody who may write explanations of any project: no anchor, and no reason to call the log broken.
    await account.s3.send(
      new PutObjectCommand({ Bucket: account.bucket, Key: 'projects/shop-1/anchors/explanation/00000099.dsse.json', Body: '{}' }),
    )
    const [again] = JSON.parse((await waybill('audit', 'verify', '--aws', '--json')).out) as { project: string; intact: boolean }[]
    expect(again).toMatchObject({ project: 'shop-1', intact: true })

    const { anchors } = await openAwsAccount({})
    const newest = (await anchors('shop-1')).files
      .map(({ path }) => path)
      .filter((path) => !path.includes('/'))
      .sort()
      .at(-1)!
    const Key = `projects/shop-1/anchors/${newest}`
    const { VersionId } = await account.s3.send(new DeleteObjectCommand({ Bucket: account.bucket, Key }))
    const says = `BROKEN  shop-1: a delete marker lies over the anchor ${newest}`
    expect(await verify()).toEqual({ code: 1, out: expect.stringContaining(says) })
    await account.s3.send(new DeleteObjectCommand({ Bucket: account.bucket, Key, VersionId }))
    expect((await verify()).code).toBe(0)
  })

  it('that a validator stopped says what was found, and that this policy lets nobody waive it', async () => {
    const file = specFile('shop-3')
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace('auto_rollback_enabled: true', 'auto_rollback_enabled: true, bps_rollback_threshold: 0.5'),
    )
    expect((await waybill('run', '--aws', file, '--out', join(folder, 'out-3'))).code).not.toBe(0)
    const found = await waybill('waive', '--aws', 'shop-3')
    expect([found.code, found.out]).toEqual([
      0,
      expect.stringMatching(
        /^f-[0-9a-f]{32} {2}ERROR {2}tolerance-validator [\s\S]* It cannot be waived: policy \S+ lets nobody waive a finding\.\n$/,
      ),
    ])
  })

  it('that is over is told of no waiver', async () => {
    const over = await waybill('waive', '--aws', 'shop-1')
    expect([over.code, over.out]).toEqual([0, 'No finding kept its plan from being signed; shop-1 is EVIDENCE_COMPLETE.\n'])
  })

  it('is shown beside one whose record somebody spoiled, and asked for alone without it', async () => {
    const db = DynamoDBDocumentClient.from(new DynamoDBClient({}))
    const TableName = account.deployment.outputs.ProjectsTableName!
    const { Item } = await db.send(new GetCommand({ TableName, Key: { project_id: 'shop-1' } }))
    const says = 'The record of project "shop-1" in its table is no JSON any more'
    await db.send(new PutCommand({ TableName, Item: { ...Item, body: '{' } }))
    const all = await waybill('status', '--aws')
    expect([all.code, all.out]).toEqual([2, expect.stringMatching(/^shop-1 +cannot be read\nshop-3 +FAILED /m)])
    expect(all.out).toContain(says)
    const rows = JSON.parse((await waybill('status', '--aws', '--json')).out) as { project_id: string; state: string | null }[]
    expect(rows.map(({ project_id, state }) => [project_id, state])).toEqual([
      ['shop-1', null],
      ['shop-3', 'FAILED'],
    ])
    for (const [args, code] of [
      [['status', '--aws', 'shop-3'], 0],
      [['report', '--aws', 'shop-3'], 2],
      [['audit', 'verify', '--aws', 'shop-3'], 0],
    ] as const) {
      const other = await waybill(...args)
      expect([args, other.code, `${other.out}${other.err}`.includes('shop-1')]).toEqual([args, code, false])
    }
    const audits = await waybill('audit', 'verify', '--aws')
    expect([audits.code, audits.out]).toEqual([1, expect.stringMatching(/^BROKEN {2}shop-1: [\s\S]*^intact {2}shop-3: /m)])
    expect(audits.out).toContain(says)
    await db.send(new PutCommand({ TableName, Item: Item! }))
    expect((await waybill('status', '--aws')).code).toBe(0)
  })

  it('does not verify what somebody put something over, though what lies below is whole', async () => {
    const key = 'projects/shop-1/evidence_pack/outcome.json'
    // As somebody who may change the bucket's policy could.
    await account.s3.send(new PutObjectCommand({ Bucket: account.bucket, Key: key, Body: '{}' }))
    const { code, out } = await waybill('verify', '--aws', 'shop-1', '--json')
    const { verified, faults } = JSON.parse(out) as { verified: boolean; faults: string[] }
    expect([code, verified, faults]).toEqual([1, false, [expect.stringMatching(/^outcome\.json: a newer version lies over it/)]])
  })

  it('that failed begins again where it failed; one that was stopped is redriven', async () => {
    const ses = new SESv2Client({})
    await ses.send(new DeleteEmailIdentityCommand({ EmailIdentity: dev.mailFrom }))
    const failed = await waybill('run', '--aws', specFile('shop-2'), '--out', join(folder, 'out-2'))
    expect([failed.code, failed.out]).toEqual([2, expect.stringContaining(`SES refused to send from ${dev.mailFrom}`)])
    await ses.send(new CreateEmailIdentityCommand({ EmailIdentity: dev.mailFrom }))

    const again = start('resume', '--aws', 'shop-2')
    await again.saw(/begun again where it failed/)
    await again.saw(/RequestApprovalForPlan/)
    again.child.kill('SIGINT')
    expect((await again.done).code).toBe(130)
    expect(account.runner.describe('shop-2-2').status).toBe('RUNNING')

    await account.runner.stop('shop-2-2', 'Stopped', 'by hand')
    const redriven = start('resume', '--aws', 'shop-2')
    await redriven.saw(/redriven at the state that did not succeed/)
    redriven.child.kill('SIGINT')
    expect((await redriven.done).code).toBe(130)
    expect(account.runner.describe('shop-2-2').status).toBe('RUNNING')
    expect((await waybill('reconcile', '--aws', 'shop-2')).code).toBe(2)
  })
})
