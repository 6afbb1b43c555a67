import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { ACTION_RULES, followsRule, ruleReasoning, ruleReasoningSha256 } from '../../layers/core/action-rules.ts'
import { canonicalJson, digestOf } from '../../layers/core/canonical-json.ts'
import { sha256 } from '../../layers/core/digest.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const sources = ['functions', 'layers'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('action-rules.ts'))
    .map((path) => readFileSync(join(root, folder, path), 'utf8')),
)

/** Their reasoning is an agent's own. */
const BY_AGENTS = [
  'CUTOVER_PLANNED',
  'DIFFERENCES_EXPLAINED',
  'DISCOVERY_PROPOSED',
  'MAPPING_PROPOSED',
  'PROFILE_PROPOSED',
  'RECON_PROPOSED',
  'REWRITE_PROPOSED',
]

/** Recorded no more; logs that hold them are still judged. */
const RETIRED = ['PARALLEL_RUN_DRIFTED']

describe('the rules of components', () => {
  it('say why for every action that the code can record, save what agents propose', () => {
    const recorded = new Set(sources.flatMap((text) => [...text.matchAll(/(?<![a-z_])action: '([A-Z_]+)'/g)].map(([, action]) => action!)))
    expect(recorded.size).toBeGreaterThan(30)
    expect([...recorded].filter((action) => !Object.hasOwn(ACTION_RULES, action) && !BY_AGENTS.includes(action))).toEqual([])
  })

  it('are about actions that there are, or were', () => {
    const all = sources.join('\n')
    expect(Object.keys(ACTION_RULES).filter((action) => !all.includes(`'${action}'`))).toEqual(RETIRED)
  })

  it('keep every sentence of which logs hold a digest', () => {
    const golden = JSON.parse(readFileSync(new URL('golden/action-rules.golden.json', import.meta.url), 'utf8')) as Record<string, string>
    expect(Object.keys(golden).length).toBeGreaterThan(30)
    expect(Object.fromEntries(Object.keys(golden).map((action) => [action, ACTION_RULES[action]]))).toEqual(golden)
  })
})

describe('a reasoning by rule', () => {
  const said = { actor: 'waybill/sign-plan', action: 'PLAN_SIGNED', subject_sha256: sha256('plan'), details: { version: '1' } }

  it('is the digest of the rule with its facts', () => {
    expect(ruleReasoning(said)).toMatchObject({ rule: ACTION_RULES.PLAN_SIGNED, facts: { version: '1' }, subject_sha256: sha256('plan') })
    expect(ruleReasoningSha256(said)).toBe(sha256(canonicalJson(ruleReasoning(said))))
    expect(followsRule({ ...said, reasoning_sha256: ruleReasoningSha256(said) })).toBe(true)
  })

  it('changes with everything that is said', () => {
    const before = ruleReasoningSha256(said)
    for (const change of [{ actor: 'x' }, { action: 'PLAN_STALE' }, { subject_sha256: null }, { details: { version: '2' } }]) {
      expect(ruleReasoningSha256({ ...said, ...change })).not.toBe(before)
      expect(followsRule({ ...said, ...change, reasoning_sha256: before })).toBe(false)
    }
    expect(followsRule({ ...said, reasoning_sha256: null })).toBe(false)
  })

  it('still holds for an entry written before its action had a sentence', () => {
    const { rule: _, ...rest } = ruleReasoning(said)
    const old = digestOf({ ...rest, rule: 'Recorded as it happened; the facts are its only reasoning.' })
    expect(followsRule({ ...said, reasoning_sha256: old })).toBe(true)
    expect(ruleReasoning({ ...said, action: 'SOMETHING_NEW' }).rule).toMatch(/^Recorded as it happened/)
  })
})
