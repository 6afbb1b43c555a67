import { App } from 'aws-cdk-lib'
import { buildAll, DEPLOYED_POLICY, STAGING } from './build.ts'
import { configFor } from './config.ts'
import { settingsOf } from './settings.ts'
import { waybillApp } from './waybill-app.ts'

const app = new App()
const context = (name: string) => app.node.tryGetContext(name) as unknown
const stage = String(context('stage') ?? 'dev')
const config = configFor(stage, settingsOf(stage, { file: context('settings'), nightly: context('nightly') }))

const staging = String(context('staging') ?? STAGING)
await buildAll(staging, DEPLOYED_POLICY, config.certificates)
waybillApp(app, config, staging)
app.synth()
