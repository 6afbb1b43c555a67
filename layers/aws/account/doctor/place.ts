import type { Session } from '../session.ts'
import type { Deployment, Outputs, StackName } from '../stacks.ts'

/** What every look of the doctor begins with. */
export type Patient = { session: Session; deployment: Deployment; outputs: Outputs }

/** CloudFormation compares templates: without the option it would find nothing to do where somebody changed what it made. */
export function putBack({ name }: Deployment, stack: StackName): string {
  return `Put it back as it was deployed: npx cdk deploy ${name}-${stack} -c stage=${name.replace('Waybill-', '')} --revert-drift.`
}
