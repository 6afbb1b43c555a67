import { type IManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { stateName } from '../../layers/core/names.ts'

/** A role that Lambda assumes for one function. It is born without any permission. */
export function functionRole(scope: Construct, name: string, boundary?: IManagedPolicy): Role {
  return new Role(scope, `${stateName(name)}Role`, {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    description: `Waybill function ${name}`,
    ...(boundary === undefined ? {} : { permissionsBoundary: boundary }),
  })
}
