import { FUNCTIONS, type LambdaFunction } from '../../../infra/permissions.ts'
import type { Counts } from '../../../layers/core/scale/model.ts'
import type { Part } from './simulate.ts'

/** What a part of the simulation asked of each service, in the units of the price list. Signs of life and data are left to the model: time decides them. */
export function countsOf({ tally, histories, invocations }: Part): Counts {
  const sum = (...names: string[]) => names.reduce((total, name) => total + (tally[name] ?? 0), 0)
  const matching = (prefix: string) =>
    Object.entries(tally).reduce((total, [name, n]) => (name.startsWith(prefix) && name !== 'fargate.seconds' ? total + n : total), 0)
  const functions = invocations.filter((each) => each.function)
  const data = invocations.filter((each) => !each.function)
  return {
    transitions: histories.reduce((total, each) => total + each.transitions + each.childTransitions, 0),
    lambda_requests: matching('lambda.'),
    lambda_gigabyte_seconds: functions.reduce(
      (total, { name, ioMs, tally: own }) =>
        total + ((ioMs - (own['data.ms'] ?? 0)) / 1000) * (FUNCTIONS[name as LambdaFunction].network === true ? 1 : 0.5),
      0,
    ),
    s3_writes: sum('s3.put', 's3.list'),
    s3_reads: sum('s3.get', 's3.head'),
    dynamodb_read_units: sum('dynamodb.read-units'),
    dynamodb_write_units: sum('dynamodb.write-units'),
    kms_signatures: sum('kms.sign'),
    kms_requests: sum('kms.encrypt', 'kms.decrypt', 'kms.get-public-key', 'kms.mac'),
    secrets_requests: sum('secrets.get'),
    mails: sum('ses.send'),
    http_requests: sum('api.requests'),
    tasks: matching('fargate.'),
    task_seconds: data.reduce((total, { ioMs }) => total + ioMs / 1000, 0),
  }
}
