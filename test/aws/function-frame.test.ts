import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { outwardError, placesOf } from '../../layers/aws/failure.ts'
import { httpRequestOf, httpResultOf } from '../../layers/aws/http-event.ts'
import { awsPorts, variable } from '../../layers/aws/ports.ts'
import { secretsManagerSecrets } from '../../layers/aws/secrets.ts'
import type { Connectors } from '../../layers/core/connector.ts'
import { ERROR_CODES, WaybillError } from '../../layers/core/errors.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import { refusal } from '../contracts/samples.ts'

describe('what leaves a function when it fails', () => {
  it('a domain error keeps its code as its name, for every code', () => {
    for (const code of ERROR_CODES) {
      const error = new WaybillError(code, 'what to do')
      expect(outwardError(error)).toBe(error)
      expect(outwardError(error).name).toBe(code)
    }
  })

  it('input of another shape names the fields and not their values', () => {
    const { error } = z.object({ token: z.string().max(3) }).safeParse({ token: 'secret-token' })
    const outward = outwardError(error)
    expect(outward.name).toBe('BAD_INPUT')
    expect(JSON.stringify(outward) + outward.message).not.toContain('secret-token')
    expect((outward as WaybillError).details).toEqual(['token: too_big'])
  })

  it('anything else keeps its name and loses its message, also in its stack', () => {
    const error = new TypeError('password=hunter2 at postgres://u:hunter2@db')
    const outward = outwardError(error)
    expect(outward.name).toBe('TypeError')
    expect(outward.message).not.toContain('hunter2')
    expect(outward.stack).not.toContain('hunter2')
    expect(placesOf(error)).toContain('function-frame.test')
    expect(outwardError('hunter2').message).not.toContain('hunter2')
  })
})

describe('HTTP events', () => {
  const event = {
    version: '2.0',
    rawPath: '/approvals/a-1',
    rawQueryString: 't=abc%2Bd&t=second&x=',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', origin: 'https://api.test' },
    cookies: ['a=1', 'b=2'],
    body: Buffer.from('reason=größer').toString('base64'),
    isBase64Encoded: true,
    requestContext: { http: { method: 'POST', path: '/approvals/a-1' } },
  }

  it('become requests: decoded, header names in lower case, the first of repeated parameters', () => {
    expect(httpRequestOf(event)).toEqual({
      method: 'POST',
      path: '/approvals/a-1',
      query: { t: 'abc+d', x: '' },
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: 'https://api.test', cookie: 'a=1; b=2' },
      body: 'reason=größer',
    })
  })

  it('of another shape are refused', () => {
    expect(() => httpRequestOf({ rawPath: '/' })).toThrow()
    expect(() => httpRequestOf(null)).toThrow()
  })

  it('are answered with cookies beside the headers', () => {
    expect(httpResultOf({ status: 200, headers: { 'content-type': 'text/html', 'Set-Cookie': 'a=1' }, body: 'x' })).toEqual({
      statusCode: 200,
      headers: { 'content-type': 'text/html' },
      cookies: ['a=1'],
      body: 'x',
      isBase64Encoded: false,
    })
  })
})

describe('ports on AWS', () => {
  const log = { info() {}, warn() {}, error() {} }
  const given = { connectors: {} as Connectors, policy: defaultPolicy, signIn: null, log, trust: null }

  it('are made when first read: a function without variables gets what needs none', () => {
    const ports = awsPorts({}, given)
    expect(ports.clock.now()).toBeInstanceOf(Date)
    expect(ports.ids.next('a')).toMatch(/^a-[a-z2-7]{26}$/)
    expect(ports.model).toBeNull()
  })

  it('name the variable that the stack did not give', () => {
    const ports = awsPorts({ WAYBILL_SIGN_PLAN_KEY: 'arn:plan' }, given)
    for (const name of [
      'projects',
      'audit',
      'approvals',
      'artifacts',
      'notifier',
      'secrets',
      'anchors',
      'git',
      'publicUrl',
      'trust',
    ] as const)
      expect(() => ports[name], name).toThrow(expect.objectContaining({ code: 'PERMISSION_DENIED' }))
    expect(() => ports.signers.approval).toThrow(expect.objectContaining({ code: 'PERMISSION_DENIED' }))
    expect(() => ports.signers.evidence).toThrow('WAYBILL_SIGN_EVIDENCE_KEY')
    expect(ports.signers.plan).toBe(ports.signers.plan)
    expect(() => variable({ A: '' }, 'A')).toThrow('A')
  })
})

describe('secrets on AWS', () => {
  const asked: string[] = []
  const client = {
    send: async ({ input }: { input: { SecretId: string } }) => {
      asked.push(input.SecretId)
      return { SecretString: `text of ${input.SecretId}` }
    },
  } as unknown as Parameters<typeof secretsManagerSecrets>[0]['client']
  const secrets = (targetAccess: 'reader' | 'writer') => secretsManagerSecrets({ client, prefix: 'waybill/prod', targetAccess })

  it('a target is two secrets, and the role says which', async () => {
    expect(await secrets('reader').resolve('aws-secretsmanager://waybill/prod/target/dw')).toBe('text of waybill/prod/target/dw/reader')
    expect(await secrets('writer').resolve('aws-secretsmanager://waybill/prod/target/dw')).toBe('text of waybill/prod/target/dw/writer')
    expect(await secrets('writer').resolve('aws-secretsmanager://waybill/prod/source/erp')).toBe('text of waybill/prod/source/erp')
  })

  it('nothing outside the prefix is asked for, however it is written', async () => {
    asked.length = 0
    for (const ref of [
      'aws-secretsmanager://other-team/key',
      'aws-secretsmanager://another/team/source/erp',
      'aws-secretsmanager://mailers/prod/source/erp',
      'aws-secretsmanager://waybill/dev/source/erp',
      'aws-secretsmanager://waybill/prod/target/dw/writer',
      'aws-secretsmanager://waybill/prod/source/../target/dw/writer',
      'aws-secretsmanager://waybill/prod/source/',
      'aws-secretsmanager://arn:aws:secretsmanager:eu-west-1:1:secret:x',
      'env://SOURCE_URL',
      'file:///etc/passwd',
      '',
    ])
      expect(await refusal(secrets('writer').resolve(ref)), ref).toBe('PERMISSION_DENIED')
    expect(asked).toEqual([])
  })
})
