import { Aws, Duration } from 'aws-cdk-lib'
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { BlockPublicAccess, Bucket, BucketEncryption, type IBucket, ObjectLockRetention, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import { keptOnceCreated } from './kept.ts'

/**
 * Evidence that outlives its writers. The bucket's default retention locks every object; writers cannot choose another, cannot
 * write twice under a key, and cannot delete. Never autoDeleteObjects: with COMPLIANCE it would only fail, with GOVERNANCE it would work.
 */
export class EvidenceBucket extends Construct {
  readonly bucket: Bucket
  /** ARN of the bucket, and of objects in it, spelled out: other stacks then name what they mean instead of importing it. */
  readonly arn: string

  constructor(scope: Construct, id: string, props: { key: IKey; config: StageConfig }) {
    super(scope, id)
    const { config } = props
    const access = {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
    }
    const removalPolicy = keptOnceCreated(config)

    const logs = new Bucket(this, 'AccessLogs', {
      ...access,
      encryption: BucketEncryption.S3_MANAGED,
      lifecycleRules: [{ expiration: Duration.days(config.logDays) }],
      removalPolicy,
    })

    const retention = Duration.days(config.evidence.days)
    const bucketName = `waybill-${config.stage}-evidence-${Aws.ACCOUNT_ID}-${Aws.REGION}`
    this.arn = `arn:${Aws.PARTITION}:s3:::${bucketName}`
    this.bucket = new Bucket(this, 'Bucket', {
      bucketName,
      ...access,
      versioned: true,
      encryption: BucketEncryption.KMS,
      encryptionKey: props.key,
      bucketKeyEnabled: true,
      objectLockEnabled: true,
      objectLockDefaultRetention:
        config.evidence.lock === 'COMPLIANCE' ? ObjectLockRetention.compliance(retention) : ObjectLockRetention.governance(retention),
      serverAccessLogsBucket: logs as IBucket,
      serverAccessLogsPrefix: 'evidence/',
      removalPolicy,
    })

    const deny = (sid: string, actions: string[], conditions?: Record<string, unknown>) =>
      this.bucket.addToResourcePolicy(
        new PolicyStatement({
          sid,
          effect: Effect.DENY,
          principals: [new AnyPrincipal()],
          actions,
          resources: [this.bucket.arnForObjects('*')],
          ...(conditions === undefined ? {} : { conditions }),
        }),
      )
    // Explicit retention on an object would override the bucket's: nobody sets any, and nobody goes round it.
    deny('NobodyChoosesRetention', ['s3:PutObjectRetention', 's3:BypassGovernanceRetention'])
    // A locked key can still get a newer version, which would hide the older one.
    deny('NobodyWritesTwice', ['s3:PutObject'], { Null: { 's3:if-none-match': 'true' } })
    // Also no delete marker: it would hide evidence without deleting it.
    if (config.keepState) deny('NobodyDeletes', ['s3:DeleteObject', 's3:DeleteObjectVersion'])
  }

  objects(pattern: string): string {
    return `${this.arn}/${pattern}`
  }
}
