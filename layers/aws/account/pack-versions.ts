import { GetObjectCommand, ListObjectVersionsCommand, type S3Client } from '@aws-sdk/client-s3'
import { WaybillError } from '../../core/errors.ts'
import { asSessionError } from './session.ts'

/** One file of a pack as it lies in the bucket. Times in UTC, as ISO text. */
export type PackFile = {
  path: string
  bytes: Uint8Array
  version_id: string
  lock: 'COMPLIANCE' | 'GOVERNANCE' | null
  retain_until: string | null
}

export type DownloadedPack = {
  files: PackFile[]
  /** What lies over the first version of a file: a newer version or a delete marker. Nothing of Waybill ever makes one. */
  covered: { path: string; version_id: string; what: 'newer version' | 'delete marker' }[]
}

/** A pack as `firstVersions` reads it. @throws NOT_FOUND when nothing lies there, PERMISSION_DENIED, CONNECTION_FAILED */
export async function downloadPack(s3: S3Client, region: string, bucket: string, prefix: string): Promise<DownloadedPack> {
  const pack = await firstVersions(s3, region, bucket, prefix)
  if (pack.files.length === 0)
    throw new WaybillError('NOT_FOUND', 'No evidence pack was sealed for this project yet. See where it stands: waybill status --aws')
  return pack
}

/**
 * Reads every file below a prefix in its first version: what was written once, even if somebody put something over it since.
 * @throws PERMISSION_DENIED, CONNECTION_FAILED
 */
export async function firstVersions(s3: S3Client, region: string, bucket: string, prefix: string): Promise<DownloadedPack> {
  const failed = (error: unknown) => {
    throw asSessionError(error, 'Reading the evidence bucket', region)
  }
  const versions: { key: string; id: string; at: number; marker: boolean }[] = []
  let from: { KeyMarker?: string; VersionIdMarker?: string } | null = {}
  while (from !== null) {
    const page: Awaited<ReturnType<typeof list>> = await list(from)
    for (const [marker, entries] of [
      [false, page.Versions ?? []],
      [true, page.DeleteMarkers ?? []],
    ] as const)
      for (const { Key = '', VersionId = '', LastModified } of entries)
        versions.push({ key: Key, id: VersionId, at: LastModified?.getTime() ?? 0, marker })
    from =
      page.IsTruncated === true && page.NextKeyMarker !== undefined
        ? {
            KeyMarker: page.NextKeyMarker,
            ...(page.NextVersionIdMarker === undefined ? {} : { VersionIdMarker: page.NextVersionIdMarker }),
          }
        : null
  }
  async function list(marker: { KeyMarker?: string; VersionIdMarker?: string }) {
    return s3.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix, ...marker })).catch(failed)
  }

  const pack: DownloadedPack = { files: [], covered: [] }
  for (const [key, all] of Map.groupBy(versions, (version) => version.key)) {
    const path = key.slice(prefix.length)
    // S3 lists a key's versions newest first; of those written within one second only that order tells.
    const oldest = all
      .filter(({ marker }) => !marker)
      .toReversed()
      .toSorted((a, b) => a.at - b.at)[0]
    for (const version of all)
      if (version !== oldest) pack.covered.push({ path, version_id: version.id, what: version.marker ? 'delete marker' : 'newer version' })
    if (oldest === undefined) continue
    const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, VersionId: oldest.id })).catch(failed)
    pack.files.push({
      path,
      bytes: (await object.Body?.transformToByteArray()) ?? new Uint8Array(),
      version_id: oldest.id,
      lock: object.ObjectLockMode ?? null,
      retain_until: object.ObjectLockRetainUntilDate?.toISOString() ?? null,
    })
  }
  return pack
}
