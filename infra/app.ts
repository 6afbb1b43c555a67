import { App } from 'aws-cdk-lib'
import { buildAll, STAGING } from './build.ts'
import { configFor } from './config.ts'
import { waybillApp } from './waybill-app.ts'

// The CLI passes cdk.json's context and -c options to the process; a first App is the documented way to read them.
const context = new App()
const config = configFor(String(context.node.tryGetContext('stage') ?? 'dev'))
const nightly: unknown = context.node.tryGetContext('nightly')

await buildAll(STAGING)
const projects = typeof nightly === 'string' ? nightly.split(',') : config.nightly.projects
waybillApp({ ...config, nightly: { ...config.nightly, projects } }, STAGING).app.synth()
