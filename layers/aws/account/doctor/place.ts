import type { Session } from '../session.ts'
import type { Deployment, Outputs } from '../stacks.ts'

/** What every look of the doctor begins with. */
export type Patient = { session: Session; deployment: Deployment; outputs: Outputs }
