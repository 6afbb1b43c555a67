import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { openLocalPorts } from '../../functions/local.ts'
import { digestOf } from '../../layers/core/canonical-json.ts'
import { isWaybillError } from '../../layers/core/errors.ts'
import { planOf } from '../../layers/core/flow/project-artifacts.ts'
import { changeInWords, policyChanges } from '../../layers/core/policy-changes.ts'
import { weaknessesOf } from '../../layers/core/policy-weakness.ts'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import type { Policy } from '../../layers/core/schemas/policy.ts'
import { HOME_OPTION } from '../platform/options.ts'
import { readPolicyFile, usePolicy } from '../policy-file.ts'
import { printUnreadable, unreadable as unreadableProject } from '../status/unreadable.ts'
import { columns, EXIT, type Terminal, visible } from '../terminal.ts'

type Json = { json?: boolean }
type Stale = { project_id: string; plan_version: number; state: string; policy_version: string }

export function policyCommand(terminal: Terminal): Command {
  return new Command('policy')
    .description('check, compare and put in force the rules that every plan is made under')
    .addCommand(checkCommand(terminal))
    .addCommand(diffCommand(terminal))
    .addCommand(useCommand(terminal))
    .addCommand(defaultCommand(terminal))
}

function checkCommand(terminal: Terminal): Command {
  return new Command('check')
    .description('every fault with its line and column, and every weak setting in words')
    .argument('<file>', 'the policy, JSON or YAML')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExit codes: 0 usable, also with warnings · 1 faults · 2 not readable')
    .action(async (file: string, { json }: Json) => {
      try {
        const policy = await readPolicyFile(file)
        const warnings = weaknessesOf(policy)
        if (json)
          terminal.out(JSON.stringify({ usable: true, version: policy.version, sha256: digestOf(policy), faults: [], warnings }, null, 2))
        else {
          terminal.out(`${visible(file)} can be used: policy ${visible(policy.version)}, SHA-256 ${digestOf(policy)}`)
          printWarnings(terminal, policy, 'Weak settings, which are allowed:')
        }
      } catch (error) {
        if (!isWaybillError(error) || error.code !== 'BAD_INPUT') throw error
        process.exitCode = EXIT.fail
        if (json) terminal.out(JSON.stringify({ usable: false, version: null, sha256: null, faults: error.details, warnings: [] }, null, 2))
        else for (const fault of error.details) terminal.out(`${terminal.paint('red', 'fault')}  ${visible(fault)}`)
      }
    })
}

function diffCommand(terminal: Terminal): Command {
  return new Command('diff')
    .description('what changes from one policy to another, what gets weaker, and which plans become stale')
    .argument('<before>', 'the policy as it is')
    .argument('<after>', 'the policy as it would be')
    .option(...HOME_OPTION)
    .option('--json', 'as JSON')
    .action(async (before: string, after: string, { home, json }: Json & { home: string }) => {
      const old = await readPolicyFile(before)
      const next = await readPolicyFile(after)
      const changes = policyChanges(old, next)
      const known = new Set(weaknessesOf(old).map(({ says }) => says))
      const weaker = weaknessesOf(next).filter(({ says }) => !known.has(says))
      const stale = await stalePlans(terminal, home, next)
      if (json) {
        terminal.out(JSON.stringify({ before: digestOf(old), after: digestOf(next), changes, weaker, stale_plans: stale }, null, 2))
        return
      }
      if (changes.length === 0) terminal.out('The two policies say the same.')
      for (const change of changes) terminal.out(visible(changeInWords(change)))
      for (const { field, says } of weaker) terminal.out(`${terminal.paint('yellow', 'weaker')}  ${field}: ${visible(says)}`)
      if (changes.length > 0 && old.version === next.version)
        terminal.out(
          `${terminal.paint('yellow', 'note')}  Both call themselves ${visible(next.version)}; give the changed one a version of its own.`,
        )
      printStale(terminal, home, stale, after)
    })
}

function useCommand(terminal: Terminal): Command {
  return new Command('use')
    .description('put a policy in force in a home; plans that are not executed become stale')
    .argument('<file>', 'the policy, JSON or YAML')
    .option(...HOME_OPTION)
    .option('--json', 'as JSON')
    .action(async (file: string, { home, json }: Json & { home: string }) => {
      const policy = await usePolicy(home, file)
      const stale = await stalePlans(terminal, home, policy)
      if (json) {
        terminal.out(
          JSON.stringify(
            { version: policy.version, sha256: digestOf(policy), warnings: weaknessesOf(policy), stale_plans: stale },
            null,
            2,
          ),
        )
        return
      }
      terminal.out(`Policy ${visible(policy.version)} is in force in ${visible(home)}.`)
      printWarnings(terminal, policy, 'Weak settings, which are allowed:')
      printStale(terminal, home, stale, null)
    })
}

function defaultCommand(terminal: Terminal): Command {
  return new Command('default')
    .description('print the policy of an installation that has none of its own, to start from')
    .option('--json', 'the same; a policy is always JSON')
    .action(() => terminal.out(JSON.stringify(defaultPolicy, null, 2)))
}

/** Plans of a home that are not executed and were made under another policy than this one; none where there is no home. Of a project that cannot be read it is not known, which is said. */
async function stalePlans(terminal: Terminal, home: string, policy: Policy): Promise<Stale[]> {
  if (!existsSync(home)) return []
  const { ports, close } = await openLocalPorts({ home, env: process.env, publicUrl: '', onLog: () => {} })
  try {
    const stale: Stale[] = []
    const { records, unreadable } = await ports.projects.list()
    for (const one of unreadable) printUnreadable(terminal, unreadableProject({ flags: '' }, one))
    for (const project of records) {
      const stands = project.state === 'FAILED' ? project.failed_from : project.state
      if ((stands !== 'PLAN_DRAFTED' && stands !== 'PLANNED') || project.artifacts.migration_plan === undefined) continue
      const plan = await planOf(ports.artifacts, project)
      if (plan.policy.sha256 === digestOf(policy)) continue
      stale.push({
        project_id: project.project_id,
        plan_version: plan.plan_version,
        state: project.state,
        policy_version: plan.policy.version,
      })
    }
    return stale
  } finally {
    close()
  }
}

function printWarnings(terminal: Terminal, policy: Policy, head: string): void {
  const warnings = weaknessesOf(policy)
  if (warnings.length === 0) return
  terminal.out(`\n${head}`)
  terminal.out(columns(warnings.map(({ field, says }) => [`  ${field}`, visible(says)])))
}

/** `after`: the policy that is not in force yet, or null when it is. */
function printStale(terminal: Terminal, home: string, stale: readonly Stale[], after: string | null): void {
  if (stale.length === 0) return
  terminal.out(
    after === null
      ? '\nThese plans are stale now: nothing is signed or executed under them.'
      : '\nThese plans would be stale: nothing would be signed or executed under them.',
  )
  terminal.out(
    columns(
      stale.map((one) => [
        `  ${one.project_id}`,
        `plan ${one.plan_version}`,
        one.state,
        `made under policy ${visible(one.policy_version)}`,
      ]),
    ),
  )
  const first = after === null ? '' : `waybill policy use ${visible(after)} --home ${visible(home)}, then `
  terminal.out(`The way forward: ${first}waybill resume --home ${visible(home)} plans them again and asks everybody anew.`)
}
