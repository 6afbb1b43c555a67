import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openLocalPorts } from '../../functions/local.ts'
import { approvalsLines } from '../../layers/aws/account/doctor/approvals.ts'
import type { Patient } from '../../layers/aws/account/doctor/place.ts'
import { covers, readPolicy } from '../../layers/aws/account/doctor/policy.ts'
import { type DoctorLine, fail, looked, ok, overall, warn } from '../../layers/core/doctor.ts'
import { nodeLines, spaceLines, toolLines } from '../../layers/local/doctor.ts'
import { projectRecord, told } from '../contracts/samples.ts'
import { waybill } from '../end-to-end/command.ts'
import { temporaryFolder } from '../local/temporary.ts'
import { type FreshDatabase, freshDatabase } from '../support/postgres.ts'

let folder: string
let remove: () => void
let home: string
beforeEach(() => {
  ;({ folder, remove } = temporaryFolder())
  home = join(folder, 'home')
})
afterEach(() => remove())

const examined = async (...args: string[]) => {
  const { code, out } = await waybill(['doctor', ...args, '--home', home, '--json'], { DOCTOR_TARGET: database?.url ?? '' })
  const { result, lines } = JSON.parse(out) as { result: string; lines: DoctorLine[] }
  return { code, result, of: (check: string) => lines.filter((line) => line.check === check) }
}
let database: FreshDatabase | undefined

async function makeHome(): Promise<void> {
  const { close } = await openLocalPorts({ home, env: {}, publicUrl: '', onLog: () => {} })
  close()
}

describe('waybill doctor', () => {
  it('is content without a home, and makes none', async () => {
    const { code, result, of } = await examined()
    expect([code, result, of('home')]).toEqual([0, 'pass', [expect.objectContaining({ verdict: 'warn' })]])
    expect(existsSync(home)).toBe(false)
  })

  it('sees a home that others can enter, a damaged database and a policy that is none', async () => {
    await makeHome()
    const well = await examined()
    expect([well.code, well.of('home')[0]!.verdict, well.of('database')[0]!.verdict]).toEqual([0, 'ok', 'ok'])
    chmodSync(join(home, 'keys'), 0o710)
    const open = await examined()
    expect([open.code, open.of('home')[0]!.verdict, open.of('home')[0]!.says]).toEqual([1, 'fail', expect.stringContaining('keys')])
    chmodSync(join(home, 'keys'), 0o700)
    writeFileSync(join(home, 'policy.json'), '{"version": 1}')
    const damaged = readFileSync(join(home, 'waybill.sqlite'))
    damaged.fill(0x55, 2 * 4096, 3 * 4096)
    writeFileSync(join(home, 'waybill.sqlite'), damaged)
    const spoiled = await examined()
    expect([spoiled.code, spoiled.of('policy')[0]!.verdict, spoiled.of('database')[0]!.verdict]).toEqual([1, 'fail', 'fail'])
  }, 180_000)

  it('sees that the key for anchors is gone, and no command makes another in its place', async () => {
    const { ports, close } = await openLocalPorts({ home, env: {}, publicUrl: '', onLog: () => {} })
    await ports.projects.create(projectRecord('p1'), told(projectRecord('p1'), null))
    close()
    expect((await examined()).of('anchor-key')).toEqual([])
    rmSync(join(home, 'keys', 'anchor.pem'))
    const gone = await examined()
    expect([gone.code, gone.of('database')[0]!.verdict, gone.of('anchor-key')[0]!.verdict]).toEqual([1, 'ok', 'fail'])
    await expect(makeHome()).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('Put keys/anchor.pem back.') })
    const { code, err } = await waybill(['status', '--home', home])
    expect([code, err]).toEqual([2, expect.stringContaining('begun when the evidence key still signed anchors')])
    expect(existsSync(join(home, 'keys', 'anchor.pem'))).toBe(false)
  }, 60_000)

  it('asks both systems of a spec, without ever saying where they are', async () => {
    database = await freshDatabase()
    const file = join(folder, 'migration.yaml')
    writeFileSync(
      file,
      `migration_id: doctor
title: Doctor
author: author@example.com
source: { system_type: POSTGRESQL, connection: { secret_ref: "env://DOCTOR_SOURCE", tls_enabled: false } }
target: { system_type: POSTGRESQL, connection: { secret_ref: "env://DOCTOR_TARGET", tls_enabled: false } }
tables: [{ source: public.a, target: { schema: b, name: a } }]
approvers: [{ role: tech_lead, email: a@example.com }]
`,
    )
    const { code, of } = await examined(file)
    expect([code, of('source')[0]!.verdict, of('target')[0]!.verdict]).toEqual([1, 'fail', 'ok'])
    expect(of('source')[0]!.says).toContain('DOCTOR_SOURCE is not set')
    const url = new URL(database.url)
    url.pathname = '/nowhere-at-all'
    const wrong = await waybill(['doctor', file, '--home', home], { DOCTOR_SOURCE: url.href, DOCTOR_TARGET: database.url })
    expect([wrong.code, wrong.out]).toEqual([1, expect.stringContaining('The source cannot be used')])
    expect(wrong.out).not.toContain(`:${url.password}@`)
    const localhost = new URL(database.url)
    localhost.hostname = 'localhost'
    writeFileSync(file, readFileSync(file, 'utf8').replace('schema: b', 'schema: public'))
    const itself = await waybill(['doctor', file, '--home', home], { DOCTOR_SOURCE: localhost.href, DOCTOR_TARGET: database.url })
    expect([itself.code, itself.out]).toEqual([
      1,
      expect.stringMatching(/one and the same database, and public\.a would be migrated into itself/),
    ])
    await database.drop()
    database = undefined
  }, 180_000)
})

describe('what the doctor looks at', () => {
  it('an old Node, missing tools, a full disk', async () => {
    expect([nodeLines('24.0.0')[0]!.verdict, nodeLines('22.19.1')[0]!.verdict]).toEqual(['ok', 'fail'])
    expect((await toolLines({ 'no-such-tool': [] }))[0]).toMatchObject({ verdict: 'warn', says: expect.stringContaining('no-such-tool') })
    expect((await toolLines({ true: [] }))[0]!.verdict).toBe('ok')
    mkdirSync(home)
    expect((await spaceLines(home, 0n))[0]!.verdict).toBe('ok')
    expect((await spaceLines(join(home, 'not', 'there'), 10n ** 15n))[0]!.verdict).toBe('warn')
  })

  it('never calls well what it could not look at', async () => {
    const [line] = await looked(
      'x',
      () => Promise.reject(new Error('secret words')),
      () => 'why',
    )
    expect(line).toEqual({ check: 'x', verdict: 'unknown', says: 'x could not be looked at: why', remedy: null })
    expect([overall([ok('a', '')]), overall([ok('a', ''), warn('b', '', '')]), overall([ok('a', ''), line!])]).toEqual([
      'pass',
      'pass',
      'undecided',
    ])
    expect(overall([line!, fail('c', '', '')])).toBe('fail')
  })

  it('whether the approval pages answer, and are the approval pages', async () => {
    const answers: [number, Record<string, string>][] = [
      [404, { 'content-security-policy': "default-src 'none'; form-action 'self'" }],
      [404, { 'content-type': 'application/json' }],
      [502, {}],
      [200, { 'content-security-policy': "default-src 'none'" }],
    ]
    let next = 0
    const asked: (string | undefined)[] = []
    const server = createServer((request, response) => {
      asked.push(request.url)
      response.writeHead(...answers[next++]!).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const look = async () => (await approvalsLines({ outputs: { ApprovalsUrl: url } } as Patient, fetch))[0]!
    const seen = []
    for (const _ of answers) seen.push((await look()).verdict)
    await new Promise((resolve) => server.close(resolve))
    expect([...seen, (await look()).verdict]).toEqual(['ok', 'fail', 'fail', 'fail', 'fail'])
    expect(new Set(asked)).toEqual(new Set(['/approvals/doctor']))
  })

  it('reads what a policy leaves unclear as allowed to everybody, and as denied to nobody', () => {
    const read = (statement: object) => readPolicy(JSON.stringify({ Statement: statement }))[0]!
    const these = (...list: string[]) => ({ except: false, list })
    const sign = { Sid: 's', Effect: 'Allow', Principal: { AWS: ['a', '111122223333'] }, Action: 'kms:Sign', Resource: 'r' }
    expect(read(sign)).toEqual({
      id: 's',
      effect: 'Allow',
      principals: these('a', 'arn:aws:iam::111122223333:root'),
      actions: these('kms:Sign'),
      resources: these('r'),
      conditions: null,
    })
    expect(read({ Effect: 'Deny', Principal: '*', Action: ['x'] }).principals).toEqual(these('*'))
    expect(read({ Effect: 'Deny', Principal: { AWS: '*' }, Action: ['x'] }).principals).toEqual(these('*'))
    // Every service is not everybody.
    expect(read({ Effect: 'Deny', Principal: { Service: '*' }, Action: ['x'] }).principals).toEqual(these('Service:*'))
    expect(read({ Effect: 'Deny', NotPrincipal: { AWS: 'a' }, NotAction: 'x', NotResource: 'y', Condition: {} })).toEqual({
      id: 'number 1',
      effect: 'Deny',
      principals: { except: true, list: ['a'] },
      actions: { except: true, list: ['x'] },
      resources: { except: true, list: ['y'] },
      conditions: null,
    })
    expect(read({ ...sign, Condition: { Bool: { k: true }, StringEquals: { l: 'v', m: ['w'] } } }).conditions).toEqual([
      { operator: 'Bool', key: 'k', values: ['true'] },
      { operator: 'StringEquals', key: 'l', values: ['v'] },
      { operator: 'StringEquals', key: 'm', values: ['w'] },
    ])
    expect(read({ ...sign, Condition: 'x' }).conditions).toEqual([{ operator: 'unread', key: '', values: [] }])
    for (const [pattern, covered] of [
      ['kms:*', true],
      ['KMS:sign', true],
      ['kms:Si?n', true],
      ['*', true],
      ['kms:SignX', false],
      ['kmsXSign', false],
      ['kms:Verify', false],
    ] as const)
      expect([pattern, covers(pattern, 'kms:Sign')]).toEqual([pattern, covered])
    expect(covers('kms.Sign', 'kms:Sign')).toBe(false)
  })
})
