import { Command } from 'commander'
import { reconciliationRun } from '../../functions/plan-segments/handler.ts'
import { getJson } from '../../layers/core/artifacts.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { type ReconReport, reconReport } from '../../layers/core/schemas/recon.ts'
import { requireHome } from '../platform/embedded.ts'
import { onPlatform } from '../platform/open.ts'
import { type PlaceOptions, placeOptions } from '../platform/options.ts'
import type { Platform, Reconciliation } from '../platform/platform.ts'
import { printRecon } from '../run/summary.ts'
import { EXIT, type Terminal } from '../terminal.ts'

/** The report of this very run. @throws what the audit log says where the run made none */
async function reportOf({ ports }: Platform, { projectId, runId }: Reconciliation): Promise<ReconReport> {
  const { artifacts } = await ports.projects.get(projectId)
  const run = reconciliationRun(runId)
  const name = Object.keys(artifacts).find((each) => each.startsWith(`recon_report.${run}-r`))
  if (name !== undefined) return getJson(ports.artifacts, artifacts[name]!, reconReport)
  const said = (await ports.audit.read(projectId))
    // The entries behind it close the run and give no reason.
    .findLast(({ details }) => details.reason && (details.run_id === runId || details.run_id?.startsWith(`${run}-r`)))
  throw new WaybillError(
    'SEGMENT_INCOMPLETE',
    said?.details.reason ?? 'Nothing was compared: the reconciliation ended without a report. See it with "waybill audit show".',
  )
}

export function reconcileCommand(terminal: Terminal): Command {
  const command = new Command('reconcile')
    .description('compare source and target of a migrated project once more, to the last row; changes neither')
    .argument('<project>', 'its id; waybill status lists them')
  return placeOptions(command)
    .option('--night', 'as the night that it is now: inside the off-peak window, once a night, counted towards the parallel run; for cron')
    .option('--json', 'the report as JSON')
    .addHelpText('after', '\nExit codes: 0 equal · 1 they differ · 2 not able to decide')
    .action(async (projectId: string, options: PlaceOptions & { night?: boolean; json?: boolean }) => {
      const reconcile = async (platform: Platform) => {
        const started = await platform.reconcile(projectId, options.night === true)
        await platform.reconciled(started)
        const report = await reportOf(platform, started)
        process.exitCode = report.verdict === 'pass' ? EXIT.pass : report.verdict === 'fail' ? EXIT.fail : EXIT.undecided
        if (options.json) terminal.out(JSON.stringify(report, null, 2))
        else printRecon(terminal, report)
      }
      // Before a cutover it is asked for while `waybill run` waits for people, and serves them.
      await onPlatform(terminal, options, requireHome, reconcile, { pages: false })
    })
}
