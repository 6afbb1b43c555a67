import type { Finding } from '../schemas/finding.ts'
import { failing, passing, type Validator } from './rule.ts'

const id = 'sampling-validator'
const fail = failing(id)

/** Whoever repeats the comparison gets the same rows, and it covers what the policy asks for. */
export const samplingValidator: Validator = {
  id,
  run(plan, { policy }) {
    const { method, seed, rows } = plan.recon.sampling
    const findings: Finding[] = []
    if (seed === '') {
      findings.push(
        fail('ERROR', '/recon/sampling/seed', 'Sampling has no seed, so nobody could draw the same rows again.', 'Set a seed, any text.'),
      )
    }
    if (policy.sampling.full_required && method !== 'full') {
      const what = `Policy ${policy.version} asks for every row to be compared; the plan samples.`
      findings.push(fail('ERROR', '/recon/sampling/method', what, 'Set the method to full.'))
    }
    if (method === 'key_hash' && (rows < 1 || rows < policy.sampling.min_rows)) {
      const what = `The sample has ${rows} rows; policy ${policy.version} asks for at least ${Math.max(1, policy.sampling.min_rows)}.`
      findings.push(fail('ERROR', '/recon/sampling/rows', what, 'Enlarge the sample, or compare everything.'))
    }
    const unkeyed = method === 'key_hash' ? plan.tables.filter((table) => table.key === null) : []
    for (const table of unkeyed) {
      const what = `${table.table_id} has no key, so a sample by key hash could not find the same rows on both sides.`
      findings.push(fail('ERROR', '/recon/sampling/method', what, 'Set the method to full.'))
    }
    if (findings.length > 0) return findings
    const how = method === 'full' ? 'Every row is compared' : `${rows} rows a table are drawn by the hash of their key`
    return [passing(id, `${how}; with the seed in the plan anybody gets the same rows again.`)]
  },
}
