import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Stack } from 'aws-cdk-lib'
import { Policy, type PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { DefinitionBody, LogLevel, StateMachine } from 'aws-cdk-lib/aws-stepfunctions'
import { Construct } from 'constructs'
import { ROOT } from '../build.ts'
import type { StageConfig } from '../config.ts'
import { accept, acceptKnownWildcards } from './accepted.ts'
import { vendedLogGroup } from './log-group.ts'

/** Placeholders whose value is a JSON array: they stand as a whole string in the file, quotes and all. */
const LISTS = ['SubnetIds', 'SecurityGroupIds'] as const

/**
 * A state machine from its ASL file, the same file the embedded runner reads. Every placeholder must have a value and every value a placeholder.
 * @throws Error naming what does not match
 */
export class Flow extends Construct {
  readonly machine: StateMachine
  readonly arn: string

  constructor(
    scope: Construct,
    id: string,
    props: {
      file: string
      name: string
      values: Readonly<Record<string, string>>
      lists?: Readonly<Record<(typeof LISTS)[number], readonly string[]>>
      statements: readonly PolicyStatement[]
      config: StageConfig
    },
  ) {
    super(scope, id)
    const stack = Stack.of(this)
    const parsed: unknown = JSON.parse(readFileSync(join(ROOT, props.file), 'utf8'))
    const text = LISTS.reduce((t, name) => t.replaceAll(`"\${${name}}"`, `\${${name}}`), JSON.stringify(parsed))

    const used = new Set([...text.matchAll(/\$\{([A-Za-z0-9]+)\}/g)].map((match) => match[1]!))
    const known: Record<string, string> = { ...props.values }
    if (props.lists !== undefined) for (const name of LISTS) known[name] = stack.toJsonString(props.lists[name])
    const unknown = [...used].filter((name) => known[name] === undefined)
    if (unknown.length > 0) throw new Error(`${props.file} has placeholders without a value: ${unknown.join(', ')}`)

    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('states.amazonaws.com'), description: `Waybill ${props.name}` })
    const policy = new Policy(this, 'Policy', { roles: [role], statements: [...props.statements] })
    acceptKnownWildcards(policy, props.statements)
    accept(role, 'AwsSolutions-IAM5[Resource::*]', 'CDK adds log delivery and tracing for the state machine; neither has a resource level.')

    this.machine = new StateMachine(this, 'Machine', {
      stateMachineName: props.name,
      definitionBody: DefinitionBody.fromString(text),
      definitionSubstitutions: Object.fromEntries([...used].map((name) => [name, known[name]!])),
      role,
      tracingEnabled: true,
      logs: {
        destination: vendedLogGroup(this, 'Logs', props.config, `states/${props.name}`),
        level: LogLevel.ALL,
        // Execution data holds task tokens; logged, each would be a way to approve.
        includeExecutionData: false,
      },
    })
    this.machine.node.addDependency(policy)
    this.arn = this.machine.stateMachineArn
  }
}
