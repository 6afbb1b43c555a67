import { type App, Tags, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import type { StageConfig } from './config.ts'
import { NetworkStack } from './network-stack.ts'
import { ObservabilityStack } from './observability-stack.ts'
import { PipelineStack } from './pipeline-stack.ts'
import { StateStack } from './state-stack.ts'

/** The four stacks of one stage over what `buildAll` staged. Synthesis fails when cdk-nag finds anything that was not accepted with a reason. */
export function waybillApp(app: App, config: StageConfig, staging: string) {
  const id = (name: string) => `Waybill-${config.stage}-${name}`
  const common = { config, terminationProtection: config.keepState }

  const state = new StateStack(app, id('State'), { ...common, description: 'Waybill: keys, evidence, tables, secrets, images' })
  const network = new NetworkStack(app, id('Network'), { ...common, description: 'Waybill: a network without a way out' })
  const pipeline = new PipelineStack(app, id('Pipeline'), {
    config,
    state,
    network,
    staging,
    description: 'Waybill: functions, workers, state machines, approvals',
  })
  const observability = new ObservabilityStack(app, id('Observability'), { config, pipeline, description: 'Waybill: dashboard and alarms' })

  Tags.of(app).add('application', 'waybill')
  Tags.of(app).add('stage', config.stage)
  for (const [name, value] of Object.entries(config.tags)) Tags.of(app).add(name, value)
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
  return { state, network, pipeline, observability }
}
