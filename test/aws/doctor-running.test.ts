/** The doctor's look at workers and schedules, against a server that answers page by page as CloudFormation, ECS and the scheduler do. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CloudFormationClient } from '@aws-sdk/client-cloudformation'
import { afterEach, describe, expect, it } from 'vitest'
import { imageLines, scheduleLines } from '../../layers/aws/account/doctor/running.ts'
import { WORKERS } from '../../layers/core/names.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`
const outputs = { WorkerImage: DIGEST, WorkerRepositoryName: 'workers', ScheduleGroupName: 'nights', ScheduleTimeZone: 'Europe/Berlin' }
type Resource = { type: string; id: string; status?: string }
type Definition = { image?: string; status?: string; command?: string[] }

let server: Server | undefined
afterEach(() => new Promise((done) => (server === undefined ? done(undefined) : server.close(done))))

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part)
  return Buffer.concat(parts).toString()
}

/** Pages of a hundred; of schedules, of two. */
async function account(resources: readonly Resource[], definitions: Readonly<Record<string, Definition>>, zones: readonly string[] = []) {
  const made = createServer((request, response) => {
    const answer = async () => {
      const body = await textOf(request)
      const url = new URL(request.url ?? '/', 'http://localhost')
      if (url.pathname.startsWith('/schedules/')) {
        const name = decodeURIComponent(url.pathname.split('/').at(-1)!)
        return JSON.stringify({ Name: name, ScheduleExpression: 'cron(0 2 * * ? *)', ScheduleExpressionTimezone: zones[Number(name)] })
      }
      if (url.pathname === '/schedules') {
        const from = Number(url.searchParams.get('NextToken') ?? 0)
        const page = zones.slice(from, from + 2).map((_, at) => ({ Name: String(from + at) }))
        return JSON.stringify({ Schedules: page, ...(from + 2 < zones.length ? { NextToken: String(from + 2) } : {}) })
      }
      if (request.headers['x-amz-target']?.toString().endsWith('DescribeTaskDefinition')) {
        const id = (JSON.parse(body) as { taskDefinition: string }).taskDefinition
        const { image = `1.dkr/workers@${DIGEST}`, status = 'ACTIVE', command = [`${id}.mjs`] } = definitions[id] ?? {}
        return JSON.stringify({ taskDefinition: { family: `family-${id}`, status, containerDefinitions: [{ image, command }] } })
      }
      const asked = new URLSearchParams(body)
      const from = Number(asked.get('NextToken') ?? 0)
      const members = resources
        .slice(from, from + 100)
        .map(
          ({ type, id, status = 'CREATE_COMPLETE' }) =>
            `<member><LogicalResourceId>L</LogicalResourceId><PhysicalResourceId>${id}</PhysicalResourceId><ResourceType>${type}</ResourceType><ResourceStatus>${status}</ResourceStatus></member>`,
        )
      const next = from + 100 < resources.length ? `<NextToken>${from + 100}</NextToken>` : ''
      const action = asked.get('Action')
      const list = action === 'ListStackResources' ? 'StackResourceSummaries' : 'StackResources'
      return `<${action}Response><${action}Result><${list}>${members.join('')}</${list}>${next}</${action}Result></${action}Response>`
    }
    void answer().then((text) => response.end(text))
  })
  server = made
  await new Promise<void>((listening) => made.listen(0, '127.0.0.1', listening))
  const config = {
    region: 'eu-central-1',
    maxAttempts: 1,
    endpoint: `http://127.0.0.1:${(made.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  }
  return { session: { config, cloudFormation: new CloudFormationClient(config) }, deployment: { name: 'Waybill-prod' }, outputs } as never
}

const others = Array.from({ length: 227 }, (_, n) => ({ type: 'AWS::IAM::Policy', id: `policy-${n}` }))
const worker = (id: string, status?: string): Resource => ({
  type: 'AWS::ECS::TaskDefinition',
  id,
  ...(status === undefined ? {} : { status }),
})

describe('workers', () => {
  it('are all looked at, on whichever page of the stack they stand', async () => {
    const whole = [worker(WORKERS[0]), ...others, ...WORKERS.slice(1).map((each) => worker(each))]
    expect(await imageLines(await account(whole, {}))).toEqual([
      expect.objectContaining({ verdict: 'ok', says: expect.stringContaining(`All ${WORKERS.length} workers`) }),
    ])
  })

  it('on the last page that run another image, or were taken out of use, are named', async () => {
    const whole = [...others, ...WORKERS.map((each) => worker(each))]
    const spoiled = { 'run-checks': { status: 'INACTIVE' }, 'roll-back-target': { image: '1.dkr/workers:latest' } }
    const [line] = await imageLines(await account(whole, spoiled))
    expect(line).toMatchObject({ verdict: 'fail' })
    expect(line?.says).toContain('family-run-checks was taken out of use')
    expect(line?.says).toContain('family-roll-back-target runs 1.dkr/workers:latest')
  })

  it('that lack, or are there twice, are missed: as many are demanded as there are workers', async () => {
    const lacking = WORKERS.filter((each) => each !== 'hash-segments').map((each) => worker(each))
    const twice = { again: { command: ['copy-chunk.mjs'] } }
    const deleted = worker('hash-segments', 'DELETE_COMPLETE')
    const [line] = await imageLines(await account([...others, ...lacking, worker('again'), deleted], twice))
    expect(line).toMatchObject({ verdict: 'fail' })
    expect(line?.says).toContain('the worker hash-segments is there not at all')
    expect(line?.says).toContain('the worker copy-chunk is there 2 times')
    expect((await imageLines(await account(others, {})))[0]).toMatchObject({ verdict: 'fail', says: 'No worker is deployed.' })
  })
})

describe('schedules', () => {
  it('are counted and looked at on every page', async () => {
    const zone = outputs.ScheduleTimeZone
    expect((await scheduleLines(await account([], {}, [zone, zone, zone, zone, zone])))[0]).toMatchObject({
      verdict: 'ok',
      says: expect.stringContaining('5 projects are'),
    })
    expect(await scheduleLines(await account([], {}, [zone, zone, zone, zone, 'Asia/Tokyo']))).toEqual([
      expect.objectContaining({ verdict: 'fail', says: expect.stringContaining('Asia/Tokyo') }),
    ])
  })
})
