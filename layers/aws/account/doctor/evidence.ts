import { GetBucketPolicyCommand, GetBucketVersioningCommand, GetObjectLockConfigurationCommand } from '@aws-sdk/client-s3'
import { type DoctorLine, fail, ok } from '../../../core/doctor.ts'
import { sdkErrorName } from '../../sdk-errors.ts'
import { type Patient, putBack } from './place.ts'
import { namesAction, readPolicy, type Statement } from './policy.ts'

const ABSENT = new Set(['ObjectLockConfigurationNotFoundError', 'NoSuchBucketPolicy', 'ObjectLockConfigurationNotFound'])

/** What is written stays: versions, a lock as long as the configuration says, and a policy that keeps writers from going round it. */
export async function evidenceLines({ session: { s3 }, deployment, outputs }: Patient): Promise<DoctorLine[]> {
  const { EvidenceBucketName: Bucket, EvidenceLock: mode, EvidenceDays: days } = outputs
  const absent = (error: unknown) => {
    if (ABSENT.has(sdkErrorName(error))) return null
    throw error
  }
  const [versioning, lock, policy] = await Promise.all([
    s3.send(new GetBucketVersioningCommand({ Bucket })),
    s3.send(new GetObjectLockConfigurationCommand({ Bucket })).catch(absent),
    s3.send(new GetBucketPolicyCommand({ Bucket })).catch(absent),
  ])
  const again = `${putBack(deployment, 'State')} Find out who changed the bucket.`
  const kept = lock?.ObjectLockConfiguration?.Rule?.DefaultRetention
  const keptDays = kept?.Days ?? (kept?.Years === undefined ? null : kept.Years * 365)
  // Only a stage that may be taken down leaves out that nobody deletes, and `prod` never is one.
  const undeleted = deployment.name === 'Waybill-prod'
  const { free, sometimes } = notDenied(readPolicy(policy?.Policy), Bucket, undeleted)
  return [
    versioning.Status === 'Enabled'
      ? ok('versions', `The evidence bucket ${Bucket} keeps versions.`)
      : fail('versions', `The evidence bucket ${Bucket} does not keep versions (${versioning.Status ?? 'never switched on'}).`, again),
    keptDays === null
      ? fail('lock', 'The evidence bucket locks nothing: it has no default retention.', again)
      : kept?.Mode === mode && keptDays >= Number(days)
        ? ok('lock', `New evidence is locked for ${keptDays === 1 ? '1 day' : `${keptDays} days`} (${mode}), as deployed.`)
        : fail('lock', `New evidence is locked for ${keptDays} days (${kept?.Mode}); deployed was ${days} days (${mode}).`, again),
    free.length === 0
      ? ok(
          'bucket-policy',
          `Nobody may choose another retention for evidence, go round it${undeleted ? ', write over it or delete it' : ' or write over it'}.`,
        )
      : fail(
          'bucket-policy',
          `The bucket's policy does not deny ${free.join(' and ')} to everybody${sometimes.length === 0 ? '' : `: what it denies depends on a condition (statement ${sometimes.join(', ')})`}.`,
          again,
        ),
  ]
}

/** What nobody may do with an object, and the policy does not deny to everybody in any case; `sometimes`: the statements that do so under a condition. `undeleted`: nobody may delete either. */
export function notDenied(statements: readonly Statement[], bucket: string, undeleted: boolean): { free: string[]; sometimes: string[] } {
  const denying = (action: string) =>
    statements.filter(
      (each) =>
        each.effect === 'Deny' &&
        !each.principals.except &&
        each.principals.list.includes('*') &&
        namesAction(each, action) &&
        !each.resources.except &&
        each.resources.list.some((name) => name === '*' || name.endsWith(`:${bucket}/*`)),
    )
  const never = [
    's3:PutObjectRetention',
    's3:BypassGovernanceRetention',
    ...(undeleted ? ['s3:DeleteObject', 's3:DeleteObjectVersion'] : []),
  ]
  const free = never.filter((action) => !denying(action).some(({ conditions }) => conditions === null))
  const sometimes = free.flatMap((action) => denying(action).map(({ id }) => id))
  const twice = denying('s3:PutObject').filter(({ conditions }) => conditions === null || isReplacing(conditions))
  // Others may forbid writes for reasons of their own; none of that keeps a key from a second version.
  if (twice.length === 0) free.push('s3:PutObject without If-None-Match')
  return { free, sometimes: [...new Set(sometimes)] }
}

/** Met by every write that would replace what lies under its key, and by no other. */
function isReplacing(conditions: NonNullable<Statement['conditions']>): boolean {
  const [one, ...more] = conditions
  if (one === undefined || more.length > 0) return false
  return one.operator === 'Null' && one.key.toLowerCase() === 's3:if-none-match' && one.values.length === 1 && one.values[0] === 'true'
}
