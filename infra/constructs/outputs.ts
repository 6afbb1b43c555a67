import { CfnOutput, type Stack } from 'aws-cdk-lib'

/** Publishes values under exactly these names: the command line reads them with DescribeStacks, and they change together with `layers/aws/account/stacks.ts`. */
export function publish(stack: Stack, outputs: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(outputs)) new CfnOutput(stack, name, { value }).overrideLogicalId(name)
}
