import { DescribeSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { type DoctorLine, fail, ok } from '../../../core/doctor.ts'
import { sdkErrorName } from '../../sdk-errors.ts'
import type { Patient } from './place.ts'

/** Users of RDS by IAM hold no secret: a token is made for each connection. */
const IAM = /^aws-rds-iam:\/\/(source|target)\//
const SCHEME = /^aws-(?:secretsmanager|sm):\/\//

/** The secrets a spec leads to are there. Looked up by name: nothing here reads a connection string. */
export async function secretLines(
  { session, outputs: { SecretsPrefix: prefix } }: Patient,
  references: Readonly<Record<'source' | 'target', string>>,
): Promise<DoctorLine[]> {
  const client = new SecretsManagerClient(session.config)
  const lines: DoctorLine[] = []
  const found: string[] = []
  for (const side of ['source', 'target'] as const) {
    const reference = references[side]
    const name = reference.replace(SCHEME, '')
    if (IAM.exec(reference)?.[1] === side) {
      found.push(`none for the ${side}, whose user is known by IAM`)
      continue
    }
    if (!SCHEME.test(reference) || !name.startsWith(`${prefix}/${side}/`)) {
      lines.push(
        fail(
          'secrets',
          `The ${side}'s secret_ref is no secret of this deployment.`,
          `Write secret_ref: aws-secretsmanager://${prefix}/${side}/<name> in the spec.`,
        ),
      )
      continue
    }
    for (const id of side === 'source' ? [name] : [`${name}/reader`, `${name}/writer`]) {
      const there = await client.send(new DescribeSecretCommand({ SecretId: id })).then(
        ({ DeletedDate }) => DeletedDate === undefined,
        (error: unknown) => {
          if (sdkErrorName(error) === 'ResourceNotFoundException') return false
          throw error
        },
      )
      if (there) found.push(id)
      else
        lines.push(
          fail(
            'secrets',
            `There is no secret ${id}, or it is being deleted.`,
            `Create it: aws secretsmanager create-secret --name ${id} --secret-string file://URL`,
          ),
        )
    }
  }
  return lines.length > 0 ? lines : [ok('secrets', `The spec's secrets are there: ${found.join(', ')}.`)]
}
