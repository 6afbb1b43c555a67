import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { LAMBDA_FUNCTIONS, ROOT } from '../../infra/build.ts'
import { configFor } from '../../infra/config.ts'
import { waybillApp } from '../../infra/waybill-app.ts'

type Resource = { Type: string; Properties: Record<string, unknown>; DeletionPolicy?: string; UpdateReplacePolicy?: string }
export type Finding = { ruleName: string; violatingConstructs: { constructPath: string; acknowledgements?: unknown }[] }
export type Synthesis = {
  state: Template
  network: Template
  pipeline: Template
  observability: Template
  /** What cdk-nag said. */
  violations: Finding[]
  accepted: Finding[]
}

/** What every organisation says for itself; prod refuses the examples. */
export const ORGANISATION = { mailFrom: 'waybill@data.acme.eu', git: { repository: 'acme/data-platform' } }

/** Synthesises a stage over staged folders that hold a stand-in for each bundle: templates depend on names and hashes, not on code. */
export function synthesise(
  stage: string,
  change: (app: ReturnType<typeof waybillApp>) => void = () => {},
  settings: Record<string, unknown> = {},
): Synthesis {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-synth-'))
  try {
    for (const name of LAMBDA_FUNCTIONS) {
      mkdirSync(join(folder, 'staging/functions', name), { recursive: true })
      writeFileSync(join(folder, 'staging/functions', name, 'index.mjs'), `// ${name}`)
    }
    mkdirSync(join(folder, 'staging/layer'), { recursive: true })
    writeFileSync(join(folder, 'staging/layer/layer.mjs'), '// layer')
    const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')) as { context: Record<string, unknown> }
    const config = configFor(stage, { ...ORGANISATION, nightly: { projects: ['orders'] }, ...settings })
    const outdir = join(folder, 'out')
    const app = new App({ outdir, context })
    const made = { app, ...waybillApp(app, config, join(folder, 'staging')) }
    change(made)
    const exitCode = process.exitCode
    let failure: unknown
    try {
      made.app.synth()
    } catch (error) {
      // A violation ends synthesis after the report was written; here it is data.
      failure = error
    }
    process.exitCode = exitCode
    const file = join(outdir, 'validation-report.json')
    if (!existsSync(file)) throw failure
    const report = JSON.parse(readFileSync(file, 'utf8')) as {
      pluginReports: { pluginName: string; violations: Finding[]; suppressedViolations?: Finding[] }[]
    }
    const templateOf = (name: string) => Template.fromJSON(JSON.parse(readFileSync(join(outdir, name), 'utf8')) as Record<string, unknown>)
    return {
      state: templateOf(made.state.templateFile),
      network: templateOf(made.network.templateFile),
      pipeline: templateOf(made.pipeline.templateFile),
      observability: templateOf(made.observability.templateFile),
      violations: report.pluginReports.flatMap((plugin) => plugin.violations),
      accepted: report.pluginReports.flatMap((plugin) => plugin.suppressedViolations ?? []),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** All resources of some types, by logical id. */
export function resourcesOf(template: Template, type: string): [string, Resource][] {
  return Object.entries(template.findResources(type)) as [string, Resource][]
}

export type Statement = {
  Sid?: string
  Effect: 'Allow' | 'Deny'
  Action: string[]
  Resource: string[]
  Principal?: unknown
  Condition?: Record<string, Record<string, unknown>>
}

/** Statements of a policy document; actions as lists, resources as flat text such as `<Fn::GetAtt KeyABC.Arn>`. */
export function statementsOf(document: unknown): Statement[] {
  const list = (value: unknown) => (Array.isArray(value) ? value : [value])
  return ((document as { Statement: unknown[] }).Statement as Record<string, unknown>[]).map((statement) => ({
    ...(statement as unknown as Statement),
    Action: list(statement.Action).map(String),
    Resource: list(statement.Resource).map(flat),
  }))
}

/** A CloudFormation value as text, to be matched by patterns. */
export function flat(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(flat).join(',')
  if (typeof value !== 'object' || value === null) return String(value)
  if ('Fn::Join' in value) {
    const [delimiter, items] = value['Fn::Join'] as [string, unknown[]]
    return items.map(flat).join(delimiter)
  }
  const [[name, argument] = ['', '']] = Object.entries(value)
  if (name === 'Ref') return `<${String(argument)}>`
  if (name === 'Fn::GetAtt') return `<${(argument as string[]).join('.')}>`
  if (name === 'Fn::ImportValue') return `<${flat(argument)}>`
  return JSON.stringify(value)
}
