import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { ECSClient, ListTaskDefinitionsCommand } from '@aws-sdk/client-ecs'
import { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { LambdaClient, ListFunctionsCommand, ListLayersCommand, ListLayerVersionsCommand } from '@aws-sdk/client-lambda'
import { ListSecretsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { beforeAll, describe, expect, it } from 'vitest'
import { WORKERS } from '../../../layers/core/names.ts'
import { resourcesOf, synthesise } from '../../infra/synth.ts'
import { destroy } from '../harness/deployment.ts'
import type { Stage } from '../harness/stage.ts'

const DAY_MS = 86_400_000

/** The last scenario: nothing is there any more afterwards but what docs/deploy.md says. */
export function teardown(on: () => Stage): void {
  describe('cdk destroy', () => {
    beforeAll(async () => {
      const { account } = on()
      await destroy(account.emulator, account.deployment)
    })

    it('takes the stacks and every function', async () => {
      const { Stacks = [] } = await new CloudFormationClient({}).send(new DescribeStacksCommand({}))
      expect(Stacks.map(({ StackName }) => StackName)).toEqual(['CDKToolkit'])
      expect((await new LambdaClient({}).send(new ListFunctionsCommand({}))).Functions).toEqual([])
    })

    it('leaves what waiting executions were started with: layer versions and revisions of task definitions, two of each since it was deployed twice', async () => {
      const lambda = new LambdaClient({})
      const { Layers = [] } = await lambda.send(new ListLayersCommand({}))
      expect(Layers).toHaveLength(1)
      const { LayerVersions } = await lambda.send(new ListLayerVersionsCommand({ LayerName: Layers[0]!.LayerName }))
      expect(LayerVersions).toHaveLength(2)
      const { taskDefinitionArns = [] } = await new ECSClient({}).send(new ListTaskDefinitionsCommand({}))
      expect(taskDefinitionArns).toHaveLength(2 * WORKERS.length)
    })

    it('leaves the keys for days in which their deletion can be cancelled', async () => {
      const { outputs } = on().account.deployment
      for (const name of ['PlanKeyArn', 'ApprovalKeyArn', 'EvidenceKeyArn', 'AnchorKeyArn', 'DataKeyArn']) {
        const { KeyMetadata } = await new KMSClient({}).send(new DescribeKeyCommand({ KeyId: outputs[name] }))
        expect([name, KeyMetadata?.KeyState]).toEqual([name, 'PendingDeletion'])
        expect(KeyMetadata!.DeletionDate!.getTime()).toBeGreaterThan(Date.now() + 7 * DAY_MS)
      }
    })

    it('leaves the secrets that people made, and none of its own', async () => {
      const { SecretList = [] } = await new SecretsManagerClient({}).send(new ListSecretsCommand({}))
      const names = SecretList.map(({ Name }) => Name)
      expect(names).toContain('waybill/dev/source/flights-aws')
      expect(names.filter((name) => !/^waybill\/dev\/(source|target)\//.test(name ?? ''))).toEqual([])
    })

    // The emulator deletes a bucket that holds locked objects, and an account does not; so what stays in prod is asked of the template.
    it('would leave evidence, keys, tables and secrets of prod', () => {
      const { state } = synthesise('prod')
      for (const type of ['AWS::S3::Bucket', 'AWS::KMS::Key', 'AWS::SecretsManager::Secret']) {
        const found = resourcesOf(state, type)
        expect(found.length).toBeGreaterThan(0)
        for (const [id, { DeletionPolicy, UpdateReplacePolicy }] of found)
          expect([id, DeletionPolicy, UpdateReplacePolicy]).toEqual([
            id,
            type === 'AWS::KMS::Key' ? 'Retain' : 'RetainExceptOnCreate',
            'Retain',
          ])
      }
    })
  })
}
