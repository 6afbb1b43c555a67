import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { digestOf } from '../core/canonical-json.ts'
import { WaybillError } from '../core/errors.ts'
import { readPolicy } from '../core/policy-reader.ts'
import type { Policy } from '../core/schemas/policy.ts'
import { secretText } from './secrets.ts'

/**
 * The policy that the newest deployment put in force, or null where the stack does not tell this code. Only workers that write are told.
 * @throws NOT_FOUND, PERMISSION_DENIED, CONNECTION_FAILED, BAD_INPUT
 */
export async function awsPolicyInForce(env: Readonly<Record<string, string | undefined>>): Promise<Policy | null> {
  const secret = env.WAYBILL_POLICY_IN_FORCE_SECRET
  return secret === undefined ? null : readPolicy(await secretText(new SecretsManagerClient({}), secret), 'The policy in force')
}

/**
 * Why code that carries the policy `carried` must not write now; null when it may. Threat: an execution goes on with the functions and the image it was
 * started with, and so does one that is redriven after a deployment; judged by what that code carries, a plan would pass that the policy of today refuses.
 * The policy in force is never used to judge: it can only stop.
 */
export function refusalUnder(inForce: Policy | null, carried: Policy): WaybillError | null {
  if (inForce === null) return null
  const [ours, theirs] = [digestOf(carried), digestOf(inForce)]
  if (ours === theirs) return null
  return new WaybillError(
    'PLAN_NOT_AUTHORISED',
    `nothing was done, because this execution was started under policy ${carried.version} (${ours.slice(0, 12)}…), and ${inForce.version} (${theirs.slice(0, 12)}…) is in force now. Start the migration again: it is planned under the policy in force, and everybody is asked anew`,
  )
}
