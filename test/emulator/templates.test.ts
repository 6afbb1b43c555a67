import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import aslValidator from 'asl-validator'
import { beforeAll, describe, expect, it } from 'vitest'
import { resourcesOf, type Synthesis, synthesise } from '../infra/synth.ts'
import { REGION } from './harness/ministack.ts'

const STACKS = ['state', 'network', 'pipeline', 'observability'] as const

/** Rules of cfn-lint that are waived, and why. */
const WAIVED: Readonly<Record<string, string>> = {
  W3005: 'CDK names every dependency, also one that follows from a reference. Nothing is wrong with naming it twice.',
}

describe.each(['dev', 'prod'])('templates of %s', (stage) => {
  let synthesis: Synthesis
  beforeAll(() => {
    synthesis = synthesise(stage)
  })

  it('cfn-lint finds nothing', () => {
    expect(linted(STACKS.map((stack) => synthesis[stack].toJSON()))).toEqual([])
  })

  it('every state machine is valid for asl-validator', () => {
    const machines = resourcesOf(synthesis.pipeline, 'AWS::StepFunctions::StateMachine')
    const names = machines.map(([, { Properties }]) => Properties.StateMachineName)
    expect(names).toEqual(expect.arrayContaining([`waybill-${stage}-migration`, `waybill-${stage}-reconcile`, `waybill-${stage}-nightly`]))
    for (const [, { Properties }] of machines) {
      const { isValid, errorsText } = aslValidator(definitionOf(Properties), { checkPaths: true, checkArn: false })
      expect([Properties.StateMachineName, isValid ? 'valid' : errorsText()]).toEqual([Properties.StateMachineName, 'valid'])
    }
  })
})

describe('the linters', () => {
  it('find what is wrong', () => {
    const wrong = { Resources: { Bucket: { Type: 'AWS::S3::Bucket', Properties: { BucketNme: 'x' } } } }
    expect(linted([wrong])).toEqual([expect.stringContaining('E3002')])
    expect(aslValidator({ StartAt: 'Nowhere', States: {} }, { checkPaths: true, checkArn: false }).isValid).toBe(false)
  })
})

/** What cfn-lint says of templates, one line each. */
function linted(templates: readonly unknown[]): string[] {
  const program = process.env.WAYBILL_CFN_LINT
  if (program === undefined) throw new Error('No cfn-lint: run `npm run test:aws`, which installs it.')
  const folder = mkdtempSync(join(tmpdir(), 'waybill-lint-'))
  try {
    const files = templates.map((template, at) => {
      const file = join(folder, `${at}.template.json`)
      writeFileSync(file, JSON.stringify(template))
      return file
    })
    const args = ['--format', 'json', '--regions', REGION, '--ignore-checks', ...Object.keys(WAIVED), '--', ...files]
    const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26 })
    if (stdout === '' && stderr !== '') throw new Error(`cfn-lint: ${stderr}`)
    const found = JSON.parse(stdout === '' ? '[]' : stdout) as { Rule: { Id: string }; Message: string; Location: { Path?: unknown[] } }[]
    return found.map(({ Rule, Message, Location }) => `${Rule.Id} ${Location.Path?.join('/') ?? ''}: ${Message}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The definition with something of the right shape where deployment puts names in. */
function definitionOf({ DefinitionString }: Record<string, unknown>): object {
  const text = typeof DefinitionString === 'string' ? DefinitionString : JSON.stringify(DefinitionString)
  const filled = text.replace(/\$\{(\w+)\}/g, (_, name: string) => (/Ids$/.test(name) ? '["one"]' : `arn:aws:any:eu-central-1:0:${name}`))
  return JSON.parse(filled) as object
}
