import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { SHIPPED_POLICY } from '../../infra/build.ts'
import { readPolicy } from '../../layers/core/policy-reader.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import { resourcesOf, type Synthesis, synthesise } from './synth.ts'

type Container = { Command: string[]; Environment: { Name: string }[] }

describe('the policy in force', () => {
  let synthesis: Synthesis
  beforeAll(() => {
    synthesis = synthesise('prod')
  })

  it('is the one that the code of the same deployment carries', () => {
    const [secret, ...more] = resourcesOf(synthesis.state, 'AWS::SecretsManager::Secret').filter(([id]) => /PolicyInForce/.test(id))
    expect(more).toEqual([])
    const text = secret![1].Properties.SecretString as string
    expect(text).toBe(readFileSync(SHIPPED_POLICY, 'utf8'))
    expect(readPolicy(text)).toEqual(defaultPolicy)
  })

  it('is read by every worker that writes to a target under a plan, and by nobody else: what takes back must work under any policy', () => {
    const told = resourcesOf(synthesis.pipeline, 'AWS::ECS::TaskDefinition')
      .flatMap(([, { Properties }]) => Properties.ContainerDefinitions as Container[])
      .filter(({ Environment }) => Environment.some(({ Name }) => Name === 'WAYBILL_POLICY_IN_FORCE_SECRET'))
      .map(({ Command }) => Command[0])
    expect(told.toSorted()).toEqual(['copy-chunk.mjs', 'finish-target.mjs', 'prepare-target.mjs'])
    expect(JSON.stringify(resourcesOf(synthesis.pipeline, 'AWS::Lambda::Function'))).not.toContain('POLICY_IN_FORCE')
  })
})
