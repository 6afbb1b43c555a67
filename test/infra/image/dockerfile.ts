/** A Dockerfile as far as ours goes: stages of instructions, arguments filled in. Another instruction than these is an error, not a comment. */
const KNOWN = ['ARG', 'FROM', 'RUN', 'COPY', 'ENV', 'WORKDIR', 'VOLUME', 'USER', 'STOPSIGNAL', 'HEALTHCHECK', 'ENTRYPOINT', 'CMD'] as const
type Keyword = (typeof KNOWN)[number]

export type Instruction = { keyword: Keyword; rest: string }
export type Stage = { base: string; name: string | null; instructions: Instruction[] }
export type ImageConfig = {
  env: Record<string, string>
  workdir: string
  user: string
  volumes: string[]
  stopSignal: string
  healthCheck: string[]
  entrypoint: string[]
}

/** @throws Error for an instruction that is none of ours */
export function stagesOf(text: string, args: Readonly<Record<string, string>> = {}): Stage[] {
  const given: Record<string, string> = {}
  const fill = (value: string) => value.replace(/\$\{(\w+)\}/g, (_, name: string) => given[name] ?? '')
  const stages: Stage[] = []
  const lines = text.replace(/^#.*\n/gm, '').replace(/\\\n/g, ' ')
  for (const line of lines.split('\n').filter((each) => each.trim() !== '')) {
    const [, word = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? []
    const keyword = KNOWN.find((each) => each === word)
    if (keyword === undefined) throw new Error(`The Dockerfile has an instruction that this reader does not know: ${line}`)
    if (keyword === 'ARG') {
      const [name = '', value] = rest.split(/=(.*)/s)
      if (value !== undefined || given[name] === undefined) given[name] = args[name] ?? value ?? ''
    } else if (keyword === 'FROM') {
      const [base = '', , name = null] = fill(rest).split(/\s+/)
      stages.push({ base, name, instructions: [] })
    } else stages.at(-1)!.instructions.push({ keyword, rest: fill(rest) })
  }
  return stages
}

/** What the last stage says about how the image is run. */
export function configOf(stage: Stage): ImageConfig {
  const all = (keyword: Keyword) => stage.instructions.filter((each) => each.keyword === keyword).map(({ rest }) => rest)
  const list = (text: string | undefined) => JSON.parse(text ?? '[]') as string[]
  return {
    env: Object.fromEntries(
      all('ENV').flatMap((rest) =>
        rest
          .split(/\s+/)
          .map((pair) => pair.split(/=(.*)/s))
          .map(([name, value]) => [name!, value!]),
      ),
    ),
    workdir: all('WORKDIR').at(-1) ?? '/',
    user: all('USER').at(-1) ?? 'root',
    volumes: all('VOLUME').flatMap(list),
    stopSignal: all('STOPSIGNAL').at(-1) ?? 'SIGTERM',
    healthCheck: list(
      all('HEALTHCHECK')
        .at(-1)
        ?.replace(/^.*?CMD\s+/, ''),
    ),
    entrypoint: list(all('ENTRYPOINT').at(-1)),
  }
}
