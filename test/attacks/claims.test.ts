import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import { policy as policySchema } from '../../layers/core/schemas/policy.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const document = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8')

/** `file › name of a test`, as the document writes it. */
const CLAIM = /`([a-z][a-z/-]*(?:\.test)?\.ts) › ([^`]+)`/g
const claims = [...document.matchAll(CLAIM)].map(([, file = '', name = '']) => ({ file, name }))

/** True when the file holds a text of exactly these words: the name of a test, of a group, or of a row of one. */
function names(text: string, name: string): boolean {
  return ["'", '"', '`'].some((quote) => text.includes(`${quote}${name}${quote}`))
}

describe('docs/security.md', () => {
  it('names tests that exist', () => {
    expect(claims.length).toBeGreaterThan(80)
    for (const { file, name } of claims) {
      expect(existsSync(`${root}${file}`), file).toBe(true)
      expect(names(readFileSync(`${root}${file}`, 'utf8'), name), `${file} › ${name}`).toBe(true)
    }
    // Whatever is written like a claim is one: nothing escapes the check by a slip of the pen.
    expect([...document.matchAll(/›/g)].length - 1).toBe(claims.length)
  })

  it('has a test for every attack of its table', () => {
    const table = document.slice(document.indexOf('## Every attack'), document.indexOf('## Why'))
    const rows = table
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .slice(2)
    expect(rows.length).toBeGreaterThan(40)
    for (const row of rows) expect([...row.matchAll(CLAIM)].length, row).toBeGreaterThan(0)
  })

  it('has a policy that can be used', () => {
    const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(document)?.[1] ?? '') as object
    expect(policySchema.parse({ ...defaultPolicy, ...example }).people).toHaveLength(2)
  })

  it('names every file of this folder', () => {
    const files = readdirSync(new URL('.', import.meta.url)).filter((name) => name.endsWith('.test.ts') && name !== 'claims.test.ts')
    for (const file of files) expect(document).toContain(`attacks/${file}`)
  })

  it('says of every attacker what is not defended, or that nothing is left', () => {
    const parts = document.split('\n## ').slice(2)
    const attackers = parts.filter((part) => !/^(Every attack|Why)/.test(part))
    expect(attackers).toHaveLength(12)
    for (const part of attackers) expect(part, part.split('\n')[0]).toMatch(/\*\*(Not defended|Can\*\*|Cannot\*\* exhaust)/)
  })
})
