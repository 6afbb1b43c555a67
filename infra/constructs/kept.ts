import { RemovalPolicy } from 'aws-cdk-lib'

/**
 * What outlives its stack where state is kept, but not a creation that failed: it is empty then, and its name would be in the way of the next attempt. Keys, tables
 * and directories are kept even so, under names of their own: they refuse deletion, and would turn the failed creation into one that cannot be taken back.
 */
export function keptOnceCreated({ keepState }: { keepState: boolean }): RemovalPolicy {
  return keepState ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE : RemovalPolicy.DESTROY
}
