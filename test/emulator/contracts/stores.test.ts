import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll } from 'vitest'
import { approvalStoreContract } from '../../contracts/approval-store.ts'
import { artifactStoreContract } from '../../contracts/artifact-store.ts'
import { auditLogContract } from '../../contracts/audit-log.ts'
import { leaseStoreContract } from '../../contracts/lease.ts'
import { progressContract } from '../../contracts/progress.ts'
import { projectStoreContract } from '../../contracts/project-store.ts'
import { openEmptyAccount } from './support/account.ts'

const account = await openEmptyAccount()
afterAll(() => account.close())
const done = async () => {}

/** The port twice, as two functions have it. */
async function twice<N extends 'projects' | 'audit' | 'approvals' | 'artifacts' | 'progress' | 'leases'>(
  name: N,
  env: Record<string, string>,
) {
  const [first, second] = [await account.ports(env), await account.ports(env)]
  return { store: first[name], second: second[name], done }
}

projectStoreContract('DynamoDB', async () => {
  const env = { WAYBILL_PROJECTS_TABLE: await account.table('Projects'), WAYBILL_AUDIT_TABLE: await account.table('Audit') }
  const db = DynamoDBDocumentClient.from(new DynamoDBClient({}))
  const spoil = async (projectId: string, body: string) => {
    const change = { UpdateExpression: 'SET body = :b', ExpressionAttributeValues: { ':b': body } }
    await db.send(new UpdateCommand({ TableName: env.WAYBILL_PROJECTS_TABLE, Key: { project_id: projectId }, ...change }))
  }
  return { ...(await twice('projects', env)), log: (await account.ports(env)).audit, spoil }
})

auditLogContract('DynamoDB', async () => twice('audit', { WAYBILL_AUDIT_TABLE: await account.table('Audit') }))

approvalStoreContract('DynamoDB', async () =>
  twice('approvals', { WAYBILL_APPROVALS_TABLE: await account.table('Approvals'), WAYBILL_TOKEN_KEY: await account.key('TokenKey') }),
)

artifactStoreContract('S3', async () => twice('artifacts', { WAYBILL_EVIDENCE_BUCKET: await account.bucket() }))

progressContract('DynamoDB', async () => twice('progress', { WAYBILL_PROGRESS_TABLE: await account.table('Progress') }))

leaseStoreContract('DynamoDB', async () => twice('leases', { WAYBILL_LEASES_TABLE: await account.table('Leases') }))
