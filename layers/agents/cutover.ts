import { visible } from '../core/approval-page/visible-text.ts'
import { namesInShort } from '../core/names-in-short.ts'
import type { Plan } from '../core/schemas/plan.ts'
import { type CutoverProposal, cutoverProposal } from '../core/schemas/proposal.ts'
import type { MigrationSpec } from '../core/schemas/spec.ts'
import type { Agent, Conclusion } from './agent.ts'

export type CutoverFacts = {
  plan: Plan
  approvers: MigrationSpec['approvers']
  /** Digest of the newest proof certificate. */
  proof_sha256: string
  proof_valid: boolean
  clean_runs: number
  clean_runs_required: number
  pull_request: string | null
}

type Step = CutoverProposal['steps'][number]

/** The runbook: who does what, how they see that it worked, and how they take it back. */
export const cutoverAgent: Agent<CutoverFacts, typeof cutoverProposal> = {
  name: 'cutover',
  schema: cutoverProposal,
  question: 'What does this cutover runbook leave out?',
  propose,
}

function propose(facts: CutoverFacts): Conclusion<CutoverProposal> {
  const steps = stepsOf(facts).map((step, index) => ({ step: index + 1, ...step }))
  return {
    proposal: { steps, runbook_markdown: markdown(facts, steps) },
    methodology:
      'The order is fixed: stop writing to the source, reconcile once more, switch, watch, and keep the source as the way back. Figures and names are those of the signed plan.',
    citations: [
      { fact: 'plan', pointer: '/tables', says: 'Tables that are switched over.' },
      { fact: 'plan', pointer: '/rollback', says: 'What a rollback may do.' },
      { fact: 'proof_sha256', pointer: '', says: 'The proof that the readiness rests on.' },
      { fact: 'clean_runs', pointer: '', says: 'Nightly runs without a difference.' },
    ],
    confidence: facts.proof_valid && facts.clean_runs >= facts.clean_runs_required ? 0.9 : 0.3,
    limitations: [
      'Which applications write to the source, and how they are stopped and switched, Waybill cannot see: fill these in.',
      'Rows written to the target after the switch are not copied back to the source.',
      ...(facts.proof_valid ? [] : ['The newest proof is not valid: this runbook must not be carried out.']),
    ],
  }
}

function stepsOf(facts: CutoverFacts): Omit<Step, 'step'>[] {
  const { plan } = facts
  const person = (role: MigrationSpec['approvers'][number]['role']) => {
    const name = role.replaceAll('_', ' ')
    return facts.approvers.some((approver) => approver.role === role) ? name : `${name} (not named in the spec)`
  }
  const tables = plan.tables.map((table) => visible(`${table.target.schema}.${table.target.name}`, 60))
  const shown = namesInShort(tables, 8)
  const unvalidated = plan.tables.flatMap((table) =>
    table.foreign_keys
      .filter((foreign) => foreign.enforcement === 'unvalidated')
      .map((foreign) => `${table.table_id} (${foreign.columns.map((column) => visible(column, 40)).join(', ')})`),
  )
  return [
    {
      who: person('release_manager'),
      what: `Announce the window, and ask ${person('data_owner')} to be there.`,
      verify: 'Everybody named in this runbook has answered.',
      undo: 'Call the window off; nothing has changed yet.',
    },
    {
      who: person('release_manager'),
      what: 'Stop whatever writes to the source: applications, jobs, people. Leave reading as it is.',
      verify: 'The source has no open transaction that writes, and its newest rows stay the newest for five minutes.',
      undo: 'Start the writers again; the source is still the one that counts.',
    },
    {
      who: person('qa_lead'),
      what: `Reconcile this project once more, now that nothing moves (waybill reconcile ${plan.project_id}): ${shown}.`,
      verify:
        'Verdict pass for every table, in a comparison begun after step 2. Rows written since the load are missing in the target; then this run says which, and the cutover is refused.',
      undo: 'Start the writers again. Migrate the missing rows with a new plan, or call the window off.',
    },
    ...(unvalidated.length === 0
      ? []
      : [
          {
            who: person('data_owner'),
            what: `Decide what becomes of the orphans: foreign keys without validation on ${unvalidated.slice(0, 6).join(', ')}.`,
            verify: 'The number of orphans equals the number in the last checks report; VALIDATE CONSTRAINT passes once they are settled.',
            undo: 'Nothing to undo: the constraint stays as it is and checks new rows only.',
          },
        ]),
    {
      who: person('release_manager'),
      what: 'Switch: point applications at the target, by the connection setting that they share.',
      verify: 'Each application reads from the target, writes one record there and reads it back.',
      undo: 'Point them back at the source. Records written to the target in between have to be carried over by hand.',
    },
    {
      who: person('data_owner'),
      what: `Watch for an hour: errors at most ${plan.slo.max_error_rate}, slowest one in a hundred below ${plan.slo.max_latency_p99_ms} ms.`,
      verify: 'Both stay within their targets, and nobody misses a record.',
      undo: 'As for the switch.',
    },
    {
      who: person('release_manager'),
      what: 'Close: make the source read-only, tell everybody, seal the evidence.',
      verify: 'waybill verify of the evidence pack exits 0.',
      undo: 'Until the source is retired it stays whole and unchanged; going back remains possible with the loss named above.',
    },
  ]
}

function markdown(facts: CutoverFacts, steps: readonly Step[]): string {
  const cell = (text: string) => visible(text, 1000).replace(/[<>[\]`*_|\\]/g, (character) => `&#${character.charCodeAt(0)};`)
  const { plan } = facts
  return [
    `# Cutover: ${cell(plan.title)}`,
    '',
    `Plan version ${plan.plan_version} of project ${plan.project_id}. Proof ${facts.proof_sha256}: ${facts.proof_valid ? 'valid' : '**not valid, do not go on**'}. Clean runs: ${facts.clean_runs} of ${facts.clean_runs_required}.`,
    '',
    facts.pull_request === null ? 'There is no pull request.' : `Pull request: ${cell(facts.pull_request)}`,
    '',
    '| step | who | what | how you see that it worked | how to take it back |',
    '|---|---|---|---|---|',
    ...steps.map((step) => `| ${step.step} | ${[step.who, step.what, step.verify, step.undo].map(cell).join(' | ')} |`),
    '',
    `The source is preserved: ${plan.rollback.preserve_source ? 'yes' : 'no'}. Rollback without a person: ${plan.rollback.auto_rollback_enabled ? `from a score of ${plan.rollback.bps_rollback_threshold}` : 'never'}.`,
    '',
  ].join('\n')
}
