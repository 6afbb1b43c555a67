import {
  DescribeRouteTablesCommand,
  DescribeSubnetsCommand,
  DescribeVpcEndpointsCommand,
  EC2Client,
  type Route,
  type RouteTable,
} from '@aws-sdk/client-ec2'
import { type DoctorLine, fail, ok } from '../../../core/doctor.ts'
import { type Patient, putBack } from './place.ts'

/** Workers reach AWS by endpoints, and nothing else: no subnet has a way to the internet. */
export async function networkLines({ session, deployment, outputs }: Patient): Promise<DoctorLine[]> {
  const ec2 = new EC2Client(session.config)
  const inVpc = [{ Name: 'vpc-id', Values: [outputs.VpcId] }]
  const [endpoints, tables, subnets] = await Promise.all([
    ec2.send(new DescribeVpcEndpointsCommand({ Filters: inVpc })),
    ec2.send(new DescribeRouteTablesCommand({ Filters: inVpc })),
    ec2.send(new DescribeSubnetsCommand({ SubnetIds: outputs.WorkerSubnetIds })),
  ])
  const there = (endpoints.VpcEndpoints ?? []).filter(({ State }) => State?.toLowerCase() === 'available')
  const missing = outputs.EndpointServices.filter((service) => !there.some(({ ServiceName = '' }) => ServiceName.endsWith(`.${service}`)))
  const open = outputs.WorkerSubnetIds.flatMap((subnet) => {
    const way = wayOut(tableOf(tables.RouteTables ?? [], subnet))
    return way === null ? [] : [`${subnet} by ${way}`]
  })
  const lost = outputs.WorkerSubnetIds.filter((id) => !(subnets.Subnets ?? []).some(({ SubnetId }) => SubnetId === id))
  return [
    missing.length === 0
      ? ok('endpoints', `All ${outputs.EndpointServices.length} endpoints that workers need are there.`)
      : fail(
          'endpoints',
          `Workers cannot reach ${missing.join(', ')}: the endpoint is not there or not available.`,
          `${putBack(deployment, 'Network')} Somebody took it out.`,
        ),
    open.length > 0
      ? fail(
          'subnets',
          `A worker could send data out: ${open.join('; ')}.`,
          'Take the route out of the table; workers need endpoints only.',
        )
      : lost.length > 0
        ? fail('subnets', `The subnet ${lost.join(', ')} is not there.`, putBack(deployment, 'Network'))
        : ok('subnets', `None of the ${outputs.WorkerSubnetIds.length} subnets of workers has a way to the internet.`),
  ]
}

/** A subnet without a table of its own uses the VPC's main one. */
function tableOf(tables: readonly RouteTable[], subnet: string): RouteTable | undefined {
  const own = tables.find(({ Associations }) => Associations?.some(({ SubnetId }) => SubnetId === subnet))
  return own ?? tables.find(({ Associations }) => Associations?.some(({ Main }) => Main === true))
}

/** Peering and transit gateways lead to databases; these lead anywhere. */
function wayOut(table: RouteTable | undefined): string | null {
  const leads = ({ GatewayId, NatGatewayId, EgressOnlyInternetGatewayId, InstanceId, CarrierGatewayId }: Route) =>
    [GatewayId?.startsWith('igw-') ? GatewayId : undefined, NatGatewayId, EgressOnlyInternetGatewayId, InstanceId, CarrierGatewayId].find(
      (each) => each !== undefined && each !== '',
    )
  for (const route of table?.Routes ?? []) {
    const gateway = leads(route)
    if (gateway !== undefined) return gateway
  }
  return null
}
