import { RemovalPolicy } from 'aws-cdk-lib'
import { type Attribute, BillingMode, ProjectionType, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'

/** A table that can be restored to any second of the last 35 days, and that a stack cannot drop where state is kept. */
export class StateTable extends Construct {
  readonly table: Table
  readonly indexes: readonly string[]

  constructor(
    scope: Construct,
    id: string,
    props: {
      partitionKey: Attribute
      sortKey?: Attribute
      key: IKey
      keepState: boolean
      /** Attribute with the second after which an item may be deleted; for what is neither state nor evidence. */
      expires?: string
      indexes?: readonly { name: string; partitionKey: Attribute; holds: readonly string[] }[]
    },
  ) {
    super(scope, id)
    this.table = new Table(this, 'Table', {
      partitionKey: props.partitionKey,
      ...(props.sortKey === undefined ? {} : { sortKey: props.sortKey }),
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: props.key,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: props.keepState,
      removalPolicy: props.keepState ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      ...(props.expires === undefined ? {} : { timeToLiveAttribute: props.expires }),
    })
    this.indexes = (props.indexes ?? []).map(({ name }) => name)
    for (const { name, partitionKey, holds } of props.indexes ?? [])
      this.table.addGlobalSecondaryIndex({
        indexName: name,
        partitionKey,
        projectionType: ProjectionType.INCLUDE,
        nonKeyAttributes: [...holds],
      })
  }
}
