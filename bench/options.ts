import { parseArgs } from 'node:util'

/** `whole`: a count. Otherwise any number above 0. */
type NumberOption = { fallback: number; whole: boolean }

/**
 * The numbers a measurement is given. `--help` prints `usage`; anything that is not among them, or no such number, is said, and nothing is measured.
 * @returns by name; the process ends with 0 after `--help`, with 2 after a fault
 */
export function numbersOf<Name extends string>(usage: string, options: Readonly<Record<Name, NumberOption>>): Record<Name, number> {
  try {
    const { help, ...numbers } = parsed(process.argv.slice(2), options)
    if (!help) return numbers as unknown as Record<Name, number>
    process.stdout.write(`${usage}\n`)
    process.exit(0)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}\n`)
    process.exit(2)
  }
}

function parsed(args: string[], options: Readonly<Record<string, NumberOption>>): { help: boolean; [name: string]: number | boolean } {
  const texts = Object.fromEntries(Object.keys(options).map((name) => [name, { type: 'string' as const }]))
  const { values } = parseArgs({ args, options: { ...texts, help: { type: 'boolean', short: 'h' } } })
  const { help = false, ...given } = values as Record<string, string | boolean | undefined>
  const numbers = Object.entries(options).map(([name, { fallback, whole }]) => {
    const number = given[name] === undefined ? fallback : Number(given[name])
    if (!Number.isFinite(number) || number <= 0 || (whole && !Number.isInteger(number)))
      throw new Error(`--${name} takes a ${whole ? 'whole ' : ''}number above 0, not ${String(given[name])}`)
    return [name, number] as const
  })
  return { help: help === true, ...Object.fromEntries(numbers) }
}
