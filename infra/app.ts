import { App } from 'aws-cdk-lib'
import { buildAll, STAGING } from './build.ts'
import { configFor } from './config.ts'
import { waybillApp } from './waybill-app.ts'

const app = new App()
const config = configFor(String(app.node.tryGetContext('stage') ?? 'dev'))
/** `-c nightly=orders,ledger`: projects to reconcile every night, in place of those in config.ts. */
const nightly: unknown = app.node.tryGetContext('nightly')
const projects = typeof nightly === 'string' ? nightly.split(',') : config.nightly.projects

const staging = String(app.node.tryGetContext('staging') ?? STAGING)
await buildAll(staging)
waybillApp(app, { ...config, nightly: { ...config.nightly, projects } }, staging)
app.synth()
