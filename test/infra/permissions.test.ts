/**
 * The permission table against the code: each handler is bundled without what it does not reach, and the ports it reads there are compared with what its line
 * grants. Too little would fail in an account only; too much is a permission nobody needs.
 */
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { LAMBDA_FUNCTIONS, ROOT } from '../../infra/build.ts'
import { ALL, FUNCTIONS, type LambdaFunction, type Permission, WORKER_PERMISSIONS } from '../../infra/permissions.ts'
import { MAC_PURPOSES, WORKERS, type Worker } from '../../layers/core/names.ts'

/** Reachable only because these two import a constant or a schema from a worker's module, whose handler is made when the module loads. */
const NOT_CALLED: Record<string, readonly string[]> = {
  'record-rollback': ['secrets', 'trusts', 'writes'],
}
const ARTIFACT_NAMES =
  /^(spec|policy|archetype|discovery_report|profiling_report|schema_mapping|rewrite|recon_proposal|[a-z_]+_reasoning|manual_decisions|decision_answers|migration_plan|findings|signed_plan|chunks|execution_report|segments|recon_report|differences|checks_report|explanation|proof_certificate|outcome|report_html|report_md|pull_request|cutover_plan|rollback_report|evidence|evidence_pack|anchors|approvals|nights|work)$/

type Code = { ports: Set<string>; written: Set<string>; named: Set<string> }

async function codeOf(name: string): Promise<Code> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [`functions/${name}/handler.ts`],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'silent',
  })
  const text = outputFiles[0]!.text
  const ports = new Set<string>()
  for (const [, port, method] of text.matchAll(/\bdeps\d*\.(\w+)(?:\.(\w+))?/g))
    for (const each of [port!, `${port}.${method}`]) ports.add(each)
  for (const [, names, port] of text.matchAll(/\{ ([\w, ]+) \} = deps\d*(?:\.(\w+))?;/g))
    for (const each of names!.split(', ')) ports.add(port === undefined ? each : `${port}.${each}`)
  // Keys: `keyOf(id, "findings", …)` and templates such as `projects/${id}/evidence_pack/…`.
  const written = [
    ...[...text.matchAll(/keyOf\d*\([^,()]+,\s*"([a-z_]+)",/g)].map((match) => match[1]!),
    ...[...text.matchAll(/artifacts\.put\(`projects\/\$\{\w+\}\/([a-z_]+)\//g)].map((match) => match[1]!),
    ...[...text.matchAll(/artifact: "([a-z_]+)"/g)].map((match) => match[1]!),
    ...[...text.matchAll(/folder: "([a-z_]+)"/g)].map((match) => match[1]!),
  ]
  const own = text
    .split(/^(?=\/\/ (?:functions|layers|node_modules)\/)/m)
    .filter((part) => part.startsWith(`// functions/${name}/`))
    .join('')
  const named = [...own.matchAll(/["`]([a-z_]+)["`.]/g), ...own.matchAll(/artifacts\.([a-z_]+)\b/g)].map((match) => match[1]!)
  return { ports, written: new Set(written), named: new Set(named.filter((each) => ARTIFACT_NAMES.test(each))) }
}

/** What the code needs, in the words of the table. */
function neededBy({ ports }: Code): Record<string, unknown> {
  const has = (...names: string[]) => names.some((name) => ports.has(name))
  return {
    projects: has('projects.update', 'projects.create') ? 'write' : has('projects') ? 'read' : undefined,
    audit: has('audit.append') ? 'append' : has('audit') ? 'read' : undefined,
    approvals: has('approvals.decide') ? 'decide' : has('approvals.open') ? 'ask' : has('approvals') ? 'read' : undefined,
    signs: (['plan', 'approval', 'evidence', 'anchor'] as const).find((purpose) => has(`signers.${purpose}`)),
    leases: has('leases'),
    nights: has('nights'),
    trusts: has('trust'),
    anchors: has('anchors'),
    tasks: has('tasks'),
    mail: has('notifier'),
    makes: MAC_PURPOSES.filter((purpose) => has(`macMakers.${purpose}`)),
    checks: MAC_PURPOSES.filter((purpose) => has(`macCheckers.${purpose}`)),
    publicUrl: has('publicUrl'),
    mask: has('keys.mask'),
    git: has('git'),
    secrets: has('secrets'),
    network: has('connectors'),
    writes: has('artifacts.put'),
  }
}

function grantedBy(permission: Permission): Record<string, unknown> {
  return {
    ...Object.fromEntries(
      ['leases', 'nights', 'trusts', 'anchors', 'tasks', 'mail', 'mask', 'git', 'network'].map((name) => [
        name,
        permission[name as keyof Permission] === true,
      ]),
    ),
    makes: MAC_PURPOSES.filter((purpose) => permission.makes?.includes(purpose)),
    checks: MAC_PURPOSES.filter((purpose) => permission.checks?.includes(purpose)),
    publicUrl: permission.makes !== undefined || permission.checks !== undefined,
    projects: permission.projects,
    audit: permission.audit,
    approvals: permission.approvals,
    signs: permission.signs,
    secrets: permission.secrets !== undefined,
    writes: permission.writes !== undefined,
  }
}

const all: [string, Permission][] = [
  ...LAMBDA_FUNCTIONS.map((name): [string, Permission] => [name, FUNCTIONS[name as LambdaFunction]]),
  ...WORKERS.map((name): [string, Permission] => [name, WORKER_PERMISSIONS[name as Worker]]),
]

describe('permissions fit the code', { timeout: 60_000 }, () => {
  for (const [name, permission] of all)
    it(name, async () => {
      const code = await codeOf(name)
      expect(code.ports.size).toBeGreaterThan(0)
      const excused = [...(NOT_CALLED[name] ?? []), ...(NOT_CALLED[name] === undefined ? [] : ['network'])]
      const without = (record: Record<string, unknown>) =>
        Object.fromEntries(Object.entries(record).filter(([key]) => !excused.includes(key)))
      expect(without(grantedBy(permission))).toEqual(without(neededBy(code)))

      const writes = permission.writes ?? []
      const reads = permission.reads ?? []
      if (permission.writes !== undefined && !excused.includes('writes'))
        expect([...code.written].filter((each) => !writes.includes(each) && !reads.includes(each) && !reads.includes(ALL))).toEqual([])
      if (!reads.includes(ALL)) expect([...code.named].filter((each) => !reads.includes(each) && !writes.includes(each))).toEqual([])
    })
})
