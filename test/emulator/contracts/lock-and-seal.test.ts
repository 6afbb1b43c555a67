import { KMSClient } from '@aws-sdk/client-kms'
import {
  DeleteObjectCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { s3ArtifactStore } from '../../../layers/aws/artifact-store.ts'
import { kmsTokenSeal } from '../../../layers/aws/token-seal.ts'
import type { Ports } from '../../../layers/core/ports.ts'
import { refusal } from '../../contracts/samples.ts'
import { openEmptyAccount } from './support/account.ts'
import { startMoto } from './support/moto.ts'

const account = await openEmptyAccount()
const moto = await startMoto()
const emulators = { ministack: account.emulator.url, moto: moto.url }
afterAll(async () => {
  await account.close()
  await moto.stop()
})

const DAY_MS = 86_400_000
const kept = { contentType: 'text/plain', retainUntil: new Date('2027-01-01T00:00:00.000Z') }

// Each emulator is asked what it answers as S3 does; ../README.md says where it does not.
for (const [name, url] of Object.entries(emulators))
  describe(`a locked bucket, by ${name}`, () => {
    let s3: S3Client
    let bucket: string
    let artifacts: Ports['artifacts']
    let days: number
    beforeAll(async () => {
      process.env.AWS_ENDPOINT_URL = url
      s3 = new S3Client({})
      bucket = await account.bucket()
      artifacts = (await account.ports({ WAYBILL_EVIDENCE_BUCKET: bucket })).artifacts
      const { ObjectLockConfiguration: lock } = account.templates.properties('AWS::S3::Bucket', 'EvidenceBucket') as {
        ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: string; Days: number } } }
      }
      expect(lock.Rule.DefaultRetention.Mode).toBe('COMPLIANCE')
      days = lock.Rule.DefaultRetention.Days
      return () => {
        process.env.AWS_ENDPOINT_URL = account.emulator.url
      }
    })
    const retentionOf = async (key: string, version: string) =>
      (await s3.send(new GetObjectRetentionCommand({ Bucket: bucket, Key: key, VersionId: version }))).Retention

    if (name === 'ministack')
      it('locks each object for as long as the template says', async () => {
        const before = Date.now()
        const { version_id } = await artifacts.put('k/default', Buffer.from('one'), kept)
        const retention = await retentionOf('k/default', version_id)
        expect(retention?.Mode).toBe('COMPLIANCE')
        expect(Math.round((retention!.RetainUntilDate!.getTime() - before) / DAY_MS)).toBe(days)
      })

    it('deletes no version, by no way round, and the bytes stay', async () => {
      const pointer = await artifacts.put('k/kept', Buffer.from('one'), kept)
      expect(await refusal(artifacts.remove(pointer))).toBe('RETENTION_ACTIVE')
      const forced = new DeleteObjectCommand({
        Bucket: bucket,
        Key: 'k/kept',
        VersionId: pointer.version_id,
        BypassGovernanceRetention: true,
      })
      await expect(s3.send(forced)).rejects.toMatchObject({ name: 'AccessDenied' })
      expect(Buffer.from(await artifacts.get(pointer)).toString()).toBe('one')
    })

    it('keeps an older version under a newer one and under a delete marker: the pointer still leads to its bytes', async () => {
      const pointer = await artifacts.put('k/hidden', Buffer.from('one'), kept)
      // What a writer without a condition would do; the bucket's policy refuses it in an account.
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'k/hidden', Body: 'two', ChecksumAlgorithm: 'SHA256' }))
      await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'k/hidden' }))
      const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: 'k/hidden' }))
      expect([Versions.length, DeleteMarkers.length]).toEqual([2, 1])
      expect(Buffer.from(await artifacts.get(pointer)).toString()).toBe('one')
    })

    if (name === 'ministack')
      it('lets an object name a longer time than its own, and keeps it', async () => {
        const store = s3ArtifactStore({ s3, bucket, retention: { by: 'object', mode: 'COMPLIANCE' }, now: () => new Date() })
        const retainUntil = new Date('2126-01-01T00:00:00.000Z')
        const { version_id } = await store.put('k/longer', Buffer.from('one'), { ...kept, retainUntil })
        expect(await retentionOf('k/longer', version_id)).toMatchObject({ Mode: 'COMPLIANCE', RetainUntilDate: retainUntil })
      })

    it('refuses what must be kept longer than it keeps anything, before it is stored', async () => {
      const strict = (await account.ports({ WAYBILL_EVIDENCE_BUCKET: bucket, WAYBILL_RETENTION_DAYS: String(days) })).artifacts
      const longer = new Date(Date.now() + (days + 2) * DAY_MS)
      expect(await refusal(strict.put('k/too-long', Buffer.from('one'), { ...kept, retainUntil: longer }))).toBe('BAD_INPUT')
      expect(await strict.find('k/too-long')).toBeNull()
    })

    if (name === 'ministack')
      it('stores the SHA-256 of the whole object beside it', async () => {
        const pointer = await artifacts.put('k/sum', Buffer.from('one'), kept)
        const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: 'k/sum', ChecksumMode: 'ENABLED' }))
        expect(Buffer.from(head.ChecksumSHA256 ?? '', 'base64').toString('hex')).toBe(pointer.sha256)
        const wrong = new PutObjectCommand({
          Bucket: bucket,
          Key: 'k/wrong',
          Body: 'two',
          ChecksumAlgorithm: 'SHA256',
          ChecksumSHA256: head.ChecksumSHA256,
        })
        await expect(s3.send(wrong)).rejects.toThrow()
      })
  })

describe('KMS', () => {
  beforeAll(() => {
    process.env.AWS_ENDPOINT_URL_KMS = moto.url
  })

  it('seals the longest task token, and opens it for its own group only', async () => {
    const keyId = await account.key('TokenKey')
    const seal = kmsTokenSeal({ kms: new KMSClient({}), keyId })
    const token = 'A'.repeat(2048)
    const context = { use: 'task-token', project_id: 'p1', group_id: 'g1' }
    const sealed = await seal.close(token, context)
    expect(Buffer.from(sealed).includes(token)).toBe(false)
    expect(await seal.open(sealed, context)).toBe(token)
    expect(await refusal(seal.open(sealed, { ...context, group_id: 'g2' }))).toBe('EVIDENCE_INVALID')
    const altered = Uint8Array.from(sealed, (byte, n) => (n === sealed.length - 1 ? byte ^ 1 : byte))
    expect(await refusal(seal.open(altered, context))).toBe('EVIDENCE_INVALID')
  })

  it('encrypts at most 4,096 bytes, which the longest token is far from', async () => {
    const seal = kmsTokenSeal({ kms: new KMSClient({}), keyId: await account.key('TokenKey') })
    await seal.close('A'.repeat(4096), {})
    expect(await refusal(seal.close('A'.repeat(4097), {}))).not.toBe('no error')
  })
})
