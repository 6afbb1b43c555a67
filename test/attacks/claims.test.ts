import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseAst } from 'vitest/node'
import { defaultPolicy } from '../../layers/core/rulebooks.ts'
import { policy as policySchema } from '../../layers/core/schemas/policy.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const document = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8')

/** `file › name of a test`, as the document writes it. */
const CLAIM = /`([a-z][a-z/-]*(?:\.test)?\.ts) › ([^`]+)`/g
const claims = [...document.matchAll(CLAIM)].map(([, file = '', name = '']) => ({ file, name }))

type Node = { type: string; start: number; end: number; [field: string]: unknown }

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'type' in value
const inner = (node: Node): Node[] => Object.values(node).flat().filter(isNode)
const everyNode = (node: Node): Node[] => [node, ...inner(node).flatMap(everyNode)]

/** Names in the path of a call, outermost last: `it`, `each` for `it.each([])('…')`. */
function path(node: unknown): string[] {
  if (!isNode(node)) return []
  if (node.type === 'Identifier') return [String(node.name)]
  if (node.type === 'MemberExpression') return [...path(node.object), ...path(node.property)]
  return node.type === 'CallExpression' || node.type === 'TaggedTemplateExpression' ? path(node.callee ?? node.tag) : []
}

/**
 * What a file's code says: every text in it, as it is written between its quotes (the name of a test, of a group, or of a row of one), and whether a test
 * of it is left out. Comments say nothing.
 */
const read = new Map<string, { texts: ReadonlySet<string>; leftOut: string[] }>()
function said(file: string) {
  const known = read.get(file)
  if (known !== undefined) return known
  const source = readFileSync(`${root}${file}`, 'utf8')
  const nodes = everyNode(parseAst(source, { lang: 'ts' }) as unknown as Node)
  const written = ({ start, end }: Node) => source.slice(start + 1, end - 1)
  const texts = nodes
    .filter(({ type, value }) => type === 'TemplateLiteral' || (type === 'Literal' && typeof value === 'string'))
    .map(written)
  const calls = nodes.filter(({ type }) => type === 'CallExpression').map(({ callee }) => path(callee))
  const leftOut = calls.filter(
    ([of = '', ...how]) => ['it', 'test', 'describe'].includes(of) && how.some((each) => LEAVES_OUT.includes(each)),
  )
  const found = { texts: new Set(texts), leftOut: leftOut.map((each) => each.join('.')) }
  read.set(file, found)
  return found
}
/** What depends on the machine (`runIf`: a browser) is reported as skipped there, so it may stand. */
const LEAVES_OUT: readonly string[] = ['skip', 'todo', 'fails', 'only']

describe('docs/security.md', () => {
  it('names tests that exist', () => {
    expect(claims.length).toBeGreaterThan(80)
    for (const { file, name } of claims) {
      expect(existsSync(`${root}${file}`), file).toBe(true)
      expect(said(file).texts.has(name), `${file} › ${name}`).toBe(true)
      expect(said(file).leftOut, file).toEqual([])
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
