/**
 * The composition root of the command line over a deployed account: it starts and watches what the functions of `aws.ts` do there, with the
 * permissions of the person at the terminal. It signs nothing, opens no task token and reads no database.
 */
import { examine } from '../layers/aws/account/doctor/index.ts'
import { type Executions, stepFunctionsExecutions } from '../layers/aws/account/executions.ts'
import { type DownloadedPack, downloadPack, firstVersions } from '../layers/aws/account/pack-versions.ts'
import { openSession, type Session, type SessionOptions } from '../layers/aws/account/session.ts'
import { type Deployment, findDeployment, type Outputs, outputsOf } from '../layers/aws/account/stacks.ts'
import { dynamoApprovalStore } from '../layers/aws/approval-store.ts'
import { s3ArtifactStore } from '../layers/aws/artifact-store.ts'
import { dynamoAuditLog } from '../layers/aws/audit-log.ts'
import { systemClock } from '../layers/aws/clock.ts'
import { dynamoProgress } from '../layers/aws/progress.ts'
import { dynamoProjectStore } from '../layers/aws/project-store.ts'
import type { TokenSeal } from '../layers/aws/token-seal.ts'
import { kmsTrustRoot } from '../layers/aws/trust.ts'
import type { DoctorLine } from '../layers/core/doctor.ts'
import { WaybillError } from '../layers/core/errors.ts'
import type { Ports, TrustRoot } from '../layers/core/ports.ts'

export type AccountOptions = SessionOptions & {
  /** `Waybill-prod`; without it, the only one in the region. */
  stack?: string
}

/** A deployed Waybill, as the person at the terminal may use it. */
export type Account = {
  deployment: Deployment
  outputs: Outputs
  ports: Pick<Ports, 'projects' | 'audit' | 'artifacts' | 'approvals' | 'progress' | 'clock'>
  executions: Executions
  /** The public halves of the keys this deployment signs with, as KMS gives them. Asked of the account itself: no independent witness. */
  trust(): Promise<TrustRoot>
  /** Every file of a project's evidence pack with its version. @throws NOT_FOUND */
  pack(projectId: string): Promise<DownloadedPack>
  /** Every anchor of a project's audit log, and what lies over one. */
  anchors(projectId: string): Promise<DownloadedPack>
}

/** @throws BAD_INPUT, PERMISSION_DENIED, NOT_FOUND, CONNECTION_FAILED with what to do */
async function findAccount({ stack, ...options }: AccountOptions): Promise<{ session: Session; deployment: Deployment }> {
  const session = await openSession(options)
  return { session, deployment: await findDeployment(session.cloudFormation, session.region, stack) }
}

/** What `waybill doctor` finds in an account, also where it is half deployed. `references`: the secrets a spec leads to. */
export async function examineAccount(
  options: AccountOptions,
  references: Readonly<Record<'source' | 'target', string>> | null,
): Promise<{ name: string; lines: DoctorLine[] }> {
  const { session, deployment } = await findAccount(options)
  const lines = await examine(session, deployment, { references, fetch: globalThis.fetch })
  return { name: `${deployment.name} in ${deployment.region}`, lines }
}

/** @throws as `findAccount`, and CONFLICT where the stacks are half deployed */
export async function openAccount(options: AccountOptions): Promise<Account> {
  const { session, deployment } = await findAccount(options)
  const outputs = outputsOf(deployment)
  const { db, s3, kms, sfn, region } = session
  const bucket = outputs.EvidenceBucketName
  return {
    deployment,
    outputs,
    ports: {
      clock: systemClock,
      projects: dynamoProjectStore({ db, table: outputs.ProjectsTableName, auditTable: () => outputs.AuditTableName }),
      audit: dynamoAuditLog({ db, table: outputs.AuditTableName }),
      progress: dynamoProgress({ db, table: outputs.ProgressTableName }),
      approvals: dynamoApprovalStore({ db, table: outputs.ApprovalsTableName, seal: unopened }),
      artifacts: s3ArtifactStore({ s3, bucket, retention: { by: 'bucket', days: null }, now: systemClock.now }),
    },
    executions: stepFunctionsExecutions({
      sfn,
      region,
      machines: { migration: outputs.MigrationMachineArn, reconcile: outputs.ReconcileMachineArn },
    }),
    trust: () =>
      kmsTrustRoot(kms, {
        plan: [outputs.PlanKeyArn],
        approval: [outputs.ApprovalKeyArn],
        evidence: [outputs.EvidenceKeyArn],
        anchor: [outputs.AnchorKeyArn],
      }),
    pack: (projectId) => downloadPack(s3, region, bucket, `projects/${projectId}/evidence_pack/`),
    anchors: (projectId) => firstVersions(s3, region, bucket, `projects/${projectId}/anchors/`),
  }
}

/** Task tokens answer for people; whoever sits at a terminal is not the page they decide on. */
const unopened: TokenSeal = {
  close: () => Promise.reject(new WaybillError('PERMISSION_DENIED', 'The command line seals no task tokens.')),
  open: () => Promise.reject(new WaybillError('PERMISSION_DENIED', 'The command line opens no task tokens.')),
}
