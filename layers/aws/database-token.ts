import { Signer } from '@aws-sdk/rds-signer'
import { WaybillError } from '../core/errors.ts'

/** How a connection string says that its password is a token of IAM. */
export const IAM_PASSWORD = 'aws-rds-iam'

/**
 * A token that a database of RDS or Aurora takes for a password during 15 minutes: signed here, by the role of this function or worker, and good for one user
 * of one server. IAM (`rds-db:connect`) decides whether the database believes it.
 * @throws PERMISSION_DENIED when there are no credentials to sign with
 */
export async function databaseToken({ host, port, user }: { host: string; port: number; user: string }): Promise<string> {
  try {
    return await new Signer({ hostname: host, port, username: user }).getAuthToken()
  } catch {
    // Without its cause: what the SDK says of credentials may quote them.
    throw new WaybillError(
      'PERMISSION_DENIED',
      `No token could be made for the database user ${user}: this process has no credentials of AWS, or no region.`,
    )
  }
}
