import { Stack } from 'aws-cdk-lib'
import { CfnRoute, CfnTransitGatewayAttachment, CfnVPCPeeringConnection, type Vpc } from 'aws-cdk-lib/aws-ec2'
import { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import { publish } from './outputs.ts'

/**
 * The way to the databases: a peering or an attachment to a transit gateway, and from every subnet a route to the addresses of `network.databases` and to no
 * others. The other side routes back, and lets these addresses in; docs/deploy.md has the commands.
 */
export class CustomerNetwork extends Construct {
  constructor(scope: Construct, id: string, props: { vpc: Vpc; config: StageConfig; reach: NonNullable<StageConfig['network']['reach']> }) {
    super(scope, id)
    const { vpc, config, reach } = props
    const way =
      reach.by === 'peering'
        ? new CfnVPCPeeringConnection(this, 'Peering', {
            vpcId: vpc.vpcId,
            peerVpcId: reach.vpcId,
            ...(reach.owner === null
              ? {}
              : { peerOwnerId: reach.owner.account, peerRegion: reach.owner.region, peerRoleArn: reach.owner.roleArn }),
          })
        : new CfnTransitGatewayAttachment(this, 'Attachment', {
            transitGatewayId: reach.transitGatewayId,
            vpcId: vpc.vpcId,
            subnetIds: vpc.isolatedSubnets.map((subnet) => subnet.subnetId),
          })
    const next = reach.by === 'peering' ? { vpcPeeringConnectionId: way.ref } : { transitGatewayId: reach.transitGatewayId }
    const ranges = [...new Set(config.network.databases.map(({ cidr }) => cidr))]
    for (const [zone, subnet] of vpc.isolatedSubnets.entries())
      for (const [at, destinationCidrBlock] of ranges.entries()) {
        const route = new CfnRoute(this, `Route${zone}-${at}`, {
          routeTableId: subnet.routeTable.routeTableId,
          destinationCidrBlock,
          ...next,
        })
        // A peering's route refers to it; a gateway's takes none until the subnets are attached.
        if (reach.by === 'transit-gateway') route.addResourceDependency(way)
      }
    publish(Stack.of(this), { CustomerNetworkWay: way.ref })
  }
}
