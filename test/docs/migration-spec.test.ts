import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { migrationSpec, transform } from '../../layers/core/schemas/spec.ts'
import { readSpec } from '../../layers/core/spec-reader.ts'

const PAGE = readFileSync(new URL('../../docs/migration-spec.md', import.meta.url), 'utf8')
const blocks = [...PAGE.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')

describe('the reference of the migration spec', () => {
  it('has blocks of YAML to read', () => {
    expect(blocks.length).toBeGreaterThanOrEqual(6)
  })
  it.each(blocks.map((block, index) => [index + 1, block] as const))('block %i is a spec', (_index, block) => {
    expect(readSpec(block).tables.length).toBeGreaterThan(0)
  })
  it('names every transform, every check and every field', () => {
    const schema = z.toJSONSchema(migrationSpec, { io: 'input' })
    const names = new Set<string>()
    const walk = (node: unknown): void => {
      if (typeof node !== 'object' || node === null) return
      for (const [name, value] of Object.entries(node)) {
        if (name === 'properties' && typeof value === 'object' && value !== null) for (const field of Object.keys(value)) names.add(field)
        walk(value)
      }
    }
    walk(schema)
    for (const option of transform.options) names.add(option.shape.kind.value)
    const said = new Set(PAGE.match(/[a-z0-9_]+/g))
    names.delete('schema')
    expect([...names].filter((name) => !said.has(name))).toEqual([])
  })
})
