import { Aws, Fn } from 'aws-cdk-lib'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import { keptOnceCreated } from './kept.ts'

/** A log group that ends: logs are for operating, evidence is for proving. */
export function retainedLogGroup(scope: Construct, id: string, config: StageConfig): LogGroup {
  return logGroup(scope, id, config)
}

/**
 * One that a service delivers to. For each name outside /aws/vendedlogs/ it would write a line into the account's one resource policy of 5,120 characters, and
 * refuse when that is full. The stack's own id stands in the name: a group that a deleted stack kept is in no later one's way.
 */
export function vendedLogGroup(scope: Construct, id: string, config: StageConfig, name: string): LogGroup {
  return logGroup(scope, id, config, `/aws/vendedlogs/${name}-${Fn.select(2, Fn.split('/', Aws.STACK_ID))}`)
}

function logGroup(scope: Construct, id: string, config: StageConfig, logGroupName?: string): LogGroup {
  return new LogGroup(scope, id, {
    ...(logGroupName === undefined ? {} : { logGroupName }),
    retention: config.logDays === 365 ? RetentionDays.ONE_YEAR : RetentionDays.ONE_MONTH,
    removalPolicy: keptOnceCreated(config),
  })
}
