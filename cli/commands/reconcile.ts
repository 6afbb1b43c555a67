import { Command } from 'commander'
import { reconciliationRun } from '../../functions/plan-segments/handler.ts'
import { comparisonFound } from '../../functions/work/newest-comparison.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import type { NewestComparison } from '../../layers/core/newest-comparison.ts'
import { newestMerging } from '../../layers/core/recorded-reports.ts'
import type { Outcome } from '../../layers/core/schemas/outcome.ts'
import type { ReconReport } from '../../layers/core/schemas/recon.ts'
import { requireHome } from '../platform/embedded.ts'
import { onPlatform } from '../platform/open.ts'
import { type PlaceOptions, placeOptions } from '../platform/options.ts'
import type { Platform, Reconciliation } from '../platform/platform.ts'
import { schemaWarnings } from '../run/schema-warnings.ts'
import { printNewest, printRecon, provenOutcome } from '../run/summary.ts'
import { EXIT, type Terminal } from '../terminal.ts'

type Found = { report: ReconReport; found: NewestComparison; outcome: Outcome | null }

/** What this very run found, as everybody else will say it. @throws what the audit log says where the run made no report */
async function foundBy({ ports }: Platform, { projectId, runId }: Reconciliation): Promise<Found> {
  const [project, log] = await Promise.all([ports.projects.get(projectId), ports.audit.read(projectId)])
  const own = `${reconciliationRun(runId)}-r`
  const merged = newestMerging(log.filter(({ details }) => details.run_id?.startsWith(own)))
  if (merged?.details.run_id !== undefined) {
    const outcome = await provenOutcome(ports, project)
    return { ...(await comparisonFound(ports, projectId, merged.details.run_id, outcome, log)), outcome }
  }
  // The entries behind it close the run and give no reason.
  const said = log.findLast(({ details }) => details.reason && (details.run_id === runId || details.run_id?.startsWith(own)))
  throw new WaybillError(
    'SEGMENT_INCOMPLETE',
    said?.details.reason ?? 'Nothing was compared: the reconciliation ended without a report. See it with "waybill audit show".',
  )
}

const EXITS = { equal: EXIT.pass, differs: EXIT.fail, undecided: EXIT.undecided }

export function reconcileCommand(terminal: Terminal): Command {
  const command = new Command('reconcile')
    .description('compare source and target of a migrated project once more, to the last row; changes neither')
    .argument('<project>', 'its id; waybill status lists them')
  return placeOptions(command)
    .option('--night', 'as the night that it is now: inside the off-peak window, once a night, counted towards the parallel run; for cron')
    .option('--json', 'the report as JSON, with what was found as "newest_comparison"')
    .addHelpText('after', '\nExit codes: 0 equal · 1 they differ, or a check that held when it was proven does not · 2 not able to decide')
    .action(async (projectId: string, options: PlaceOptions & { night?: boolean; json?: boolean }) => {
      const reconcile = async (platform: Platform) => {
        const started = await platform.reconcile(projectId, options.night === true)
        await platform.reconciled(started)
        const { report, found, outcome } = await foundBy(platform, started)
        process.exitCode = EXITS[found.found]
        if (options.json)
          terminal.out(JSON.stringify({ ...report, newest_comparison: found, schema_warnings: schemaWarnings(report) }, null, 2))
        else {
          printRecon(terminal, report)
          printNewest(terminal, found, outcome)
        }
      }
      // Before a cutover it is asked for while `waybill run` waits for people, and serves them.
      await onPlatform(terminal, options, requireHome, reconcile, { pages: false })
    })
}
