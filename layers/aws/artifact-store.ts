import { createHash } from 'node:crypto'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { WaybillError } from '../core/errors.ts'
import type { ArtifactStore } from '../core/ports.ts'
import type { ArtifactPointer } from '../core/schemas/common.ts'
import { asWaybillError, sdkErrorName } from './sdk-errors.ts'

/**
 * Who sets the lock. `bucket`: the bucket's default retention does (writers have no s3:PutObjectRetention, so none can choose a
 * shorter one); `days`, when known, refuses an artifact that must be kept longer than the bucket keeps it. `object`: each write names its own.
 */
export type Retention = { by: 'bucket'; days: number | null } | { by: 'object'; mode: 'GOVERNANCE' | 'COMPLIANCE' }

const DAY_MS = 86_400_000

/** Write-once objects. Single-part uploads only, so that S3's SHA-256 is the content's own and not a composite. */
export function s3ArtifactStore({
  s3,
  bucket,
  retention,
  now,
}: {
  s3: S3Client
  bucket: string
  retention: Retention
  now: () => Date
}): ArtifactStore {
  const uriOf = (key: string) => `s3://${bucket}/${key}`

  const find = async (key: string): Promise<ArtifactPointer | null> => {
    try {
      const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' }))
      if (head.VersionId === undefined) throw unversioned(bucket)
      const sha256 =
        head.ChecksumSHA256 !== undefined && !head.ChecksumSHA256.includes('-')
          ? Buffer.from(head.ChecksumSHA256, 'base64').toString('hex')
          : sha256Of(await bytesOf(key, head.VersionId))
      return { uri: uriOf(key), version_id: head.VersionId, sha256 }
    } catch (error) {
      if (['NotFound', 'NoSuchKey'].includes(sdkErrorName(error))) return null
      throw asWaybillError(error, 'Looking for an artifact')
    }
  }

  const bytesOf = async (key: string, versionId: string): Promise<Uint8Array> => {
    const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, VersionId: versionId }))
    if (object.Body === undefined) throw new WaybillError('NOT_FOUND', 'The artifact has no bytes.')
    return object.Body.transformToByteArray()
  }

  const keyOf = (pointer: ArtifactPointer): string => {
    // Threat: a pointer from a document could name another bucket; this store answers for its own only.
    const prefix = `s3://${bucket}/`
    if (!pointer.uri.startsWith(prefix)) throw new WaybillError('NOT_FOUND', 'The artifact lies outside the evidence bucket.')
    return pointer.uri.slice(prefix.length)
  }

  return {
    async put(key, bytes, { contentType, retainUntil }) {
      const sha256 = sha256Of(bytes)
      if (retention.by === 'bucket' && retention.days !== null && retainUntil.getTime() > now().getTime() + (retention.days + 1) * DAY_MS)
        throw new WaybillError(
          'BAD_INPUT',
          `The evidence bucket keeps objects ${retention.days} days, but the policy asks for longer. Raise evidence.days in infra/settings.<stage>.json first.`,
        )
      const lock = retention.by === 'object' ? { ObjectLockMode: retention.mode, ObjectLockRetainUntilDate: retainUntil } : {}
      try {
        const { VersionId } = await s3.send(
          new PutObjectCommand({
            Bucket: bucket,
            Key: key,
            Body: bytes,
            ContentType: contentType,
            // Commit point: the first writer wins. A locked key could otherwise still get a newer version.
            IfNoneMatch: '*',
            // S3 refuses a write into a locked bucket that does not name its checksum's algorithm.
            ChecksumAlgorithm: 'SHA256',
            ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64'),
            ...lock,
          }),
        )
        if (VersionId === undefined) throw unversioned(bucket)
        return { uri: uriOf(key), version_id: VersionId, sha256 }
      } catch (error) {
        // 409: two writers at once; S3 may answer it before the winner is visible, and a retry settles it.
        if (!['PreconditionFailed', 'ConditionalRequestConflict'].includes(sdkErrorName(error)))
          throw asWaybillError(error, 'Storing an artifact')
        const there = await find(key)
        if (there?.sha256 === sha256) return there
        if (there === null) throw new WaybillError('CONFLICT', `Another writer is storing ${key}. Try again.`)
        throw new WaybillError('ALREADY_EXISTS', `Other bytes are already stored under ${key}; artifacts are never overwritten.`)
      }
    },

    find,

    async get(pointer) {
      const key = keyOf(pointer)
      const bytes = await bytesOf(key, pointer.version_id).catch((error) => {
        if (['NoSuchKey', 'NoSuchVersion', 'NotFound', 'InvalidArgument'].includes(sdkErrorName(error)))
          throw new WaybillError('NOT_FOUND', 'The artifact is not in the evidence bucket in the version named.')
        throw asWaybillError(error, 'Reading an artifact')
      })
      if (sha256Of(bytes) !== pointer.sha256)
        throw new WaybillError(
          'EVIDENCE_INVALID',
          `The bytes under ${key} are not those that were recorded. Stop, and compare versions in the bucket.`,
        )
      return bytes
    },

    async list(prefix) {
      const keys: string[] = []
      let token: string | undefined
      do {
        const page = await s3
          .send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ...(token === undefined ? {} : { ContinuationToken: token }) }))
          .catch((error) => {
            throw asWaybillError(error, 'Listing artifacts')
          })
        for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key)
        token = page.NextContinuationToken
      } while (token !== undefined)
      return keys.sort()
    },

    async remove(pointer) {
      try {
        await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: keyOf(pointer), VersionId: pointer.version_id }))
      } catch (error) {
        // S3 says AccessDenied both for an active lock and for a role that may never delete; both mean: it stays.
        if (sdkErrorName(error) === 'AccessDenied')
          throw new WaybillError('RETENTION_ACTIVE', 'The artifact is locked until its retention ends; nothing was deleted.')
        throw asWaybillError(error, 'Deleting an artifact')
      }
    },
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function unversioned(bucket: string): WaybillError {
  return new WaybillError(
    'PERMISSION_DENIED',
    `Bucket ${bucket} is not versioned; evidence needs versions and Object Lock. Deploy the state stack.`,
  )
}
