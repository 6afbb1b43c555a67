import { describe, expect, it } from 'vitest'
import { refuseAccountHere } from '../../cli/platform/here-only.ts'
import { programOf } from '../../cli/program.ts'
import { workingNow, workingWords } from '../../cli/run/working.ts'
import { openTerminal } from '../../cli/terminal.ts'
import type { WorkProgress } from '../../layers/core/schemas/progress.ts'
import { waybill } from '../end-to-end/command.ts'

/** No profile of whoever runs the tests, no machine that gives out credentials, and nothing that listens. */
const NOBODY = {
  HOME: '/nonexistent',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_PROFILE: '',
  AWS_REGION: '',
  AWS_DEFAULT_REGION: '',
  AWS_ACCESS_KEY_ID: '',
  AWS_SECRET_ACCESS_KEY: '',
  AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
}

describe('--aws', () => {
  it('says in one line what is missing to reach an account', async () => {
    const signedIn = { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'y' }
    const cases = [
      [['status', '--aws'], {}, /^error BAD_INPUT: No AWS region is set\. Add --region/],
      [['doctor', '--region', 'eu-central-1'], {}, /^error PERMISSION_DENIED: There are no AWS credentials here\. Sign in/],
      [
        ['report', '--profile', 'nobody', '--region', 'eu-central-1'],
        {},
        /^error PERMISSION_DENIED: The profile nobody gives no AWS credentials/,
      ],
      [
        ['verify', '--aws', 'x', '--region', 'eu-central-1'],
        signedIn,
        /^error CONNECTION_FAILED: .*cannot be reached in the region eu-central-1/,
      ],
    ] as const
    for (const [args, env, says] of cases) {
      const { code, out, err } = await waybill(args, { ...NOBODY, ...env })
      expect([args, code, out, says.test(err), err.trimEnd().split('\n').length]).toEqual([args, 2, '', true, 1])
    }
  }, 180_000)

  it('does not mix with what is of a home alone', async () => {
    for (const args of [
      ['status', '--aws', '--home', 'x'],
      ['run', '--aws', '--policy', 'p.json', 'x.yaml'],
      ['approve', '--aws', '--withdraw', 'p'],
      ['audit', 'show', '--aws', '--home', 'x'],
      ['waive', '--aws', 'p', '--confirm', 'w-1'],
    ])
      expect([args, await waybill(args, NOBODY)]).toEqual([
        args,
        expect.objectContaining({ code: 2, err: expect.stringContaining("'--aws'") }),
      ])
    const kept = await waybill(['verify', 'x', '--out', 'y'])
    expect([kept.code, kept.err]).toEqual([2, expect.stringContaining('--out keeps a pack that --aws downloads')])
    const asked = await waybill(['waive', '--aws', 'p', 'f-1'], NOBODY)
    expect([asked.code, asked.err]).toEqual([2, expect.stringMatching(/^error BAD_INPUT: .*link is mailed.*waybill waive --aws p\n$/)])
  }, 180_000)

  it('is taken by a command, or refused in one sentence that names what to do', () => {
    const program = programOf(openTerminal())
    const leaves = program.commands.flatMap((command) =>
      command.commands.length === 0 ? [[command]] : command.commands.map((inner) => [command, inner]),
    )
    const there = leaves.filter((path) => path.at(-1)!.options.some(({ long }) => long === '--aws')).map(([command]) => command!.name())
    expect([...new Set(there)].sort()).toEqual('approve audit doctor reconcile report resume run status verify waive'.split(' '))
    for (const path of leaves) {
      const [name] = path.map((command) => command.name())
      for (const flag of ['--aws', '--stack=Waybill-dev']) {
        const refuse = () => refuseAccountHere(program, [...path.map((command) => command.name()), 'x', flag])
        if (there.includes(name!)) expect(refuse).not.toThrow()
        else expect(refuse).toThrow(new RegExp(`^waybill ${name} has no --(aws|stack): .*(waybill |deploy again|Leave it out)`))
      }
    }
  })

  it('is refused before anything is done, and a subcommand’s wrong input is no verdict', async () => {
    const refused = await waybill(['compare', 'a', 'b', '--aws'], NOBODY)
    expect([refused.code, refused.out, refused.err]).toEqual([
      2,
      '',
      expect.stringMatching(/^error BAD_INPUT: waybill compare has no --aws: [^\n]+\n$/),
    ])
    expect((await waybill(['audit', 'verify', '--nonsense'], NOBODY)).code).toBe(2)
  }, 180_000)
})

describe('what workers say of themselves', () => {
  const row = (more: Partial<WorkProgress>): WorkProgress => ({
    project_id: 'p',
    run_id: 'r',
    worker: 'copy-chunk',
    part: 'a',
    items: '1',
    table_id: 'item',
    rows: '1',
    state: 'working',
    started_at: '2026-01-01T00:00:00.000Z',
    beat_at: '2026-01-01T00:00:10.000Z',
    ...more,
  })
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second))

  it('is added up exactly, and only while one of them works', () => {
    const large = '9007199254740993'
    const rows = [row({ rows: large }), row({ part: 'b', rows: '2', table_id: 'other' }), row({ part: 'c', state: 'done', rows: '1000' })]
    expect(workingNow(rows, at(20))).toEqual([
      { worker: 'copy-chunk', run_id: 'r', tasks: 2, tables: ['item', 'other'], rows: '9007199254741995', silent: null },
    ])
    expect(workingWords(workingNow(rows, at(20))[0]!)).toBe('2 × CopyChunk 9,007,199,254,741,995 rows of item, other')
    expect(workingNow([row({ state: 'done' }), row({ part: 'b', state: 'failed' })], at(20))).toEqual([])
  })

  it('says who was not heard of for long', () => {
    expect(workingNow([row({})], at(55))[0]!.silent).toBeNull()
    expect(workingWords(workingNow([row({})], at(56))[0]!)).toContain('not heard of for 46 s')
  })
})
