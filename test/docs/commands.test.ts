import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root, waybill } from '../end-to-end/command.ts'

type Written = { file: string; line: string; command: string; words: string[]; options: string[] }

const documents = ['README.md', 'CONTRIBUTING.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
)

/** Every `npm …` and `waybill …` line of the shell blocks in the documents. */
const lines = documents.flatMap((file) =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((block) =>
    block[1]!
      .split('\n')
      .map((line) => line.replace(/\s#.*$/, '').trim())
      .filter((line) => line !== '')
      .map((line) => ({ file, line })),
  ),
)

function waybillCommand({ file, line }: { file: string; line: string }): Written[] {
  const match = line.match(/^(?:npm run waybill -- |npx waybill |waybill |npm run (?=demo))(\S+)(.*)$/)
  if (match === null) return []
  const words = match[2]!.trim().split(/\s+/)
  return [{ file, line, command: match[1]!, words, options: [...match[2]!.matchAll(/\s(--[a-z][a-z-]*)/g)].map((option) => option[1]!) }]
}

const scripts = Object.keys((JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }).scripts)

describe('the documents name only what there is', () => {
  it('finds commands to judge', () => {
    expect(lines.length).toBeGreaterThan(10)
    expect(lines.flatMap(waybillCommand).length).toBeGreaterThan(5)
  })

  it('every npm script named exists', () => {
    const named = lines.flatMap(({ file, line }) =>
      [...line.matchAll(/\bnpm run ([a-z:]+)/g)].map((match) => ({ file, script: match[1]! })),
    )
    expect(named.filter(({ script }) => !scripts.includes(script))).toEqual([])
  })

  it('every waybill command and option named exists', { timeout: 240_000 }, async () => {
    const help = new Map<string, string>()
    const helpOf = async (command: string) => {
      if (!help.has(command)) help.set(command, (await waybill([...command.split(' '), '--help'])).out)
      return help.get(command)!
    }
    for (const { file, line, command, words, options } of lines.flatMap(waybillCommand)) {
      if (command.startsWith('-')) continue
      let text = await helpOf(command)
      expect(text, `${file}: ${line}`).toContain(`Usage: waybill ${command}`)
      // `waybill audit show`: the options are those of `show`.
      if (words[0] && new RegExp(`^ {2}${words[0].replace(/\W/g, '\\$&')} `, 'm').test(text.split('\nCommands:')[1] ?? ''))
        text = await helpOf(`${command} ${words[0]}`)
      for (const option of options) if (option !== '--help') expect(text, `${file}: ${line}`).toContain(option)
    }
  })

  it('every link to a file of the repository leads somewhere', () => {
    const missing = documents.flatMap((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(/\]\(((?!https?:|#)[^)#]+)/g)]
        .map((match) => join(file, '..', match[1]!))
        .filter((path) => {
          try {
            readFileSync(join(root, path))
            return false
          } catch (error) {
            return (error as NodeJS.ErrnoException).code !== 'EISDIR'
          }
        })
        .map((path) => `${file} → ${path}`),
    )
    expect(missing).toEqual([])
  })
})
