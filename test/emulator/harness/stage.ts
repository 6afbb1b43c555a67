import { KMSClient } from '@aws-sdk/client-kms'
import type { Browser } from 'playwright-core'
import { type DownloadedPack, downloadPack } from '../../../layers/aws/account/pack-versions.ts'
import { kmsPublicKeyPem } from '../../../layers/aws/signer.ts'
import type { ReconReport } from '../../../layers/core/schemas/recon.ts'
import { openBrowser } from '../../functions/support/browser.ts'
import { type Account, openAccount } from './account.ts'
import { type Flights, openFlights } from './flights.ts'
import { REGION } from './ministack.ts'

/** Where the scenarios play: one deployed account, one server full of flights, one browser. */
export type Stage = { account: Account; flights: Flights; browser: Browser; close(): Promise<void> }

export async function openStage(rows: number, context: readonly string[]): Promise<Stage> {
  const opened: { account?: Account; flights?: Flights; browser?: Browser } = {}
  const close = async () => {
    await opened.browser?.close()
    await opened.flights?.stop()
    await opened.account?.close()
  }
  const opening = [
    openAccount(context).then((account) => Object.assign(opened, { account })),
    openFlights(rows).then((flights) => Object.assign(opened, { flights })),
    openBrowser().then((browser) => Object.assign(opened, { browser })),
  ]
  const failed = (await Promise.allSettled(opening)).find(({ status }) => status === 'rejected')
  if (failed === undefined) return { account: opened.account!, flights: opened.flights!, browser: opened.browser!, close }
  await close()
  throw (failed as PromiseRejectedResult).reason
}

/** The evidence pack of a project as the bucket holds it, each file in its first version. */
export function packOf({ account }: Stage, projectId: string): Promise<DownloadedPack> {
  return downloadPack(account.s3, REGION, account.bucket, `projects/${projectId}/evidence_pack/`)
}

export function jsonIn(pack: DownloadedPack, path: string): unknown {
  return JSON.parse(Buffer.from(pack.files.find((file) => file.path === path)!.bytes).toString())
}

/** The project's first reconciliation. */
export async function reconciliationOf({ account: { artifacts } }: Stage, projectId: string): Promise<ReconReport> {
  const [key] = await artifacts.list(`projects/${projectId}/recon_report/`)
  return JSON.parse(Buffer.from(await artifacts.get((await artifacts.find(key!))!)).toString())
}

/** Pins the public halves that KMS gives, one for each purpose. */
export async function pinnedKeys({ account }: Stage): Promise<string[]> {
  const kms = new KMSClient({})
  const { PlanKeyArn, ApprovalKeyArn, EvidenceKeyArn, AnchorKeyArn } = account.deployment.outputs
  const keys = { plan: PlanKeyArn!, approval: ApprovalKeyArn!, evidence: EvidenceKeyArn!, anchor: AnchorKeyArn! }
  return Promise.all(Object.entries(keys).map(async ([purpose, arn]) => `${purpose}=${await kmsPublicKeyPem(kms, arn)}`))
}
