import { Fn, Stack, type StackProps, Validations } from 'aws-cdk-lib'
import {
  FlowLogDestination,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2'
import type { Construct } from 'constructs'
import type { StageConfig } from './config.ts'
import { CustomerNetwork } from './constructs/customer-network.ts'
import { retainedLogGroup } from './constructs/log-group.ts'
import { publish } from './constructs/outputs.ts'

/**
 * A network without a way out: no internet gateway, no NAT (about $90 per 2 TB that S3's free gateway endpoint carries for nothing).
 * AWS is reached through endpoints, databases through `config.network.databases`. Threat: the gateway endpoints lead to every bucket and table
 * of AWS, so code with credentials of another account could write there; what a role of ours may do says IAM.
 */
export class NetworkStack extends Stack {
  readonly vpc: Vpc
  /** For workers, and for the functions that read catalogs. */
  readonly workers: SecurityGroup
  private readonly zones: StageConfig['network']['zones']

  constructor(scope: Construct, id: string, props: StackProps & { config: StageConfig }) {
    super(scope, id, props)
    const { config } = props
    this.zones = config.network.zones

    this.vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr(config.network.cidr),
      maxAzs: this.availabilityZones.length,
      natGateways: 0,
      subnetConfiguration: [{ name: 'isolated', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 24 }],
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 }, DynamoDb: { service: GatewayVpcEndpointAwsService.DYNAMODB } },
      restrictDefaultSecurityGroup: false,
      flowLogs: {
        Rejected: { destination: FlowLogDestination.toCloudWatchLogs(retainedLogGroup(this, 'FlowLogs', config)) },
      },
    })

    if (Array.isArray(config.network.zones))
      for (const subnet of this.vpc.isolatedSubnets)
        Validations.of(subnet).acknowledge({
          id: 'CloudFormation-Validate::W3010',
          reason: 'The settings name these zones: others lack endpoints.',
        })

    const endpoints = new SecurityGroup(this, 'EndpointsGroup', {
      vpc: this.vpc as IVpc,
      description: 'Waybill: interface endpoints',
      allowAllOutbound: false,
    })
    this.workers = new SecurityGroup(this, 'WorkersGroup', {
      vpc: this.vpc as IVpc,
      description: 'Waybill: workers and functions that read catalogs',
      allowAllOutbound: false,
    })
    endpoints.addIngressRule(this.workers, Port.HTTPS, 'AWS APIs for workers')
    // Gateway endpoints answer on public addresses of S3 and DynamoDB; without a gateway nothing else is routed there.
    this.workers.addEgressRule(Peer.anyIpv4(), Port.HTTPS, 'AWS APIs through endpoints')
    for (const { cidr, port } of config.network.databases) this.workers.addEgressRule(Peer.ipv4(cidr), Port.tcp(port), 'Databases')

    if (config.network.reach !== null) new CustomerNetwork(this, 'Customer', { vpc: this.vpc, config, reach: config.network.reach })

    const services = {
      EcrApi: InterfaceVpcEndpointAwsService.ECR,
      EcrImages: InterfaceVpcEndpointAwsService.ECR_DOCKER,
      Logs: InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
      Kms: InterfaceVpcEndpointAwsService.KMS,
      Secrets: InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
      Lambda: InterfaceVpcEndpointAwsService.LAMBDA,
    }
    for (const [name, service] of Object.entries(services))
      this.vpc.addInterfaceEndpoint(name, { service, securityGroups: [endpoints], open: false, privateDnsEnabled: true })

    publish(this, {
      VpcId: this.vpc.vpcId,
      WorkerSubnetIds: this.vpc.isolatedSubnets.map((subnet) => subnet.subnetId).join(','),
      EndpointServices: ['s3', 'dynamodb', ...Object.values(services).map(({ shortName }) => shortName)].join(','),
    })
  }

  /** Those that the settings name; or as many as they say, whatever they are called where the stack is deployed: without an account, CDK would take two. */
  override get availabilityZones(): string[] {
    const { zones } = this
    if (Array.isArray(zones)) return zones
    return Array.from({ length: zones }, (_, at) => Fn.select(at, Fn.getAzs()))
  }
}
