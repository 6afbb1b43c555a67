import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { asking } from '../../layers/core/schemas/policy.ts'
import { root } from '../end-to-end/command.ts'

const text = readFileSync(join(root, 'docs/approvals.md'), 'utf8')

describe('docs/approvals.md', () => {
  it('shows a policy that is one, with every setting there is', () => {
    const [, block] = /```json\n([\s\S]*?)```/.exec(text) ?? []
    const shown = asking.parse((JSON.parse(block!) as { asking: unknown }).asking)
    expect(Object.keys(shown).sort()).toEqual(Object.keys(asking.shape).sort())
  })

  it('names audit actions and settings that the code has', () => {
    const files = [
      'functions/local.ts',
      'functions/work/open-id-sign-in.ts',
      ...readdirSync(join(root, 'functions/decide')).map((name) => `functions/decide/${name}`),
    ]
    const sources = files.map((file) => readFileSync(join(root, file), 'utf8'))
    const named = [...text.matchAll(/`((?:APPROVE|APPROVAL|REQUEST|ESCALATION|DECISION)[A-Z]*_[A-Z_]+|WAYBILL_[A-Z_]+)`/g)].map(
      (match) => match[1]!,
    )
    expect(named.length).toBeGreaterThan(7)
    expect(named.filter((name) => !sources.some((source) => source.includes(name)))).toEqual([])
  })
})
