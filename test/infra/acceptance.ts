import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import { Bucket } from 'aws-cdk-lib/aws-s3'
import { describe, expect, it } from 'vitest'
import { acceptKnownWildcards } from '../../infra/constructs/accepted.ts'
import { type Finding, type Synthesis, synthesise } from './synth.ts'

/** Every rule of AwsSolutions that is accepted anywhere. A new one is a decision, not an accident. */
const ACCEPTED = ['AwsSolutions-APIG4', 'AwsSolutions-ECS2', 'AwsSolutions-IAM5', 'AwsSolutions-SMG4', 'AwsSolutions-SQS3']

export function acceptanceTests(prod: Synthesis, dev: Synthesis): void {
  describe('cdk-nag', () => {
    it('finds nothing that was not accepted with a reason', () => {
      for (const { violations, accepted } of [prod, dev]) {
        expect(violations).toEqual([])
        expect([...new Set(accepted.map(({ ruleName }) => ruleName.replace(/\[.*/, '')))].sort()).toEqual(ACCEPTED)
        for (const each of accepted as (Finding & { reason?: string })[])
          expect(each.reason?.length ?? 0, each.ruleName).toBeGreaterThan(30)
      }
    })

    it('would find a bucket without protection, and a wildcard of an unknown kind', () => {
      const { violations } = synthesise('dev', ({ state }) => {
        new Bucket(state, 'Forgotten')
        const role = [...state.keyRoles.values()][0]!
        const statements = [new PolicyStatement({ actions: ['s3:GetObject'], resources: [`${state.evidence.arn}/*`] })]
        for (const statement of statements) role.addToPolicy(statement)
        acceptKnownWildcards(role, statements)
      })
      const rules = violations.map(({ ruleName }) => ruleName)
      expect(rules).toContain('AwsSolutions-S10')
      expect(rules.some((rule) => rule.startsWith('AwsSolutions-IAM5'))).toBe(true)
    })
  })
}
