import { execFile } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WaybillError } from '../core/errors.ts'
import type { Clock, GitHost } from '../core/ports.ts'

const NONE = '0'.repeat(40)
/** Parts that do not start with a dot: no `..`, no `.git`, nothing absolute. */
const FILE_PATH = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}(\/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){0,15}$/
const BRANCH = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}(\/[A-Za-z0-9][A-Za-z0-9_-]{0,99}){0,5}$/

/**
 * A bare repository as a Git host: branch, commit, and a pull request as an annotated tag `refs/pull/<n>` whose message is title and body.
 * There is no merge: nothing here writes the base branch once it exists.
 * @param path where to look for the `git` command
 */
export function localGitHost({
  folder,
  clock,
  path = '/usr/local/bin:/usr/bin:/bin',
}: {
  folder: string
  clock: Clock
  path?: string
}): GitHost {
  const git = (args: readonly string[], input: string | Buffer = '', extra: Record<string, string> = {}) =>
    run(['--git-dir', folder, ...args], input, { ...environment(path, clock), ...extra })
  const find = (ref: string) => git(['rev-parse', '--verify', '--quiet', ref]).catch(() => null)

  const ensure = async (base: string) => {
    if (!existsSync(join(folder, 'HEAD'))) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      await run(['init', '--quiet', '--bare', `--initial-branch=${base}`, folder], '', environment(path, clock))
    }
    const found = await find(`refs/heads/${base}^{commit}`)
    if (found !== null) return found
    const tree = await git(['mktree'])
    const commit = await git(['commit-tree', tree], 'Start\n')
    // Created only if it is not there; whoever came second uses the first one's.
    await git(['update-ref', `refs/heads/${base}`, commit, NONE]).catch(() => undefined)
    return git(['rev-parse', '--verify', `refs/heads/${base}^{commit}`])
  }

  const treeOf = async (parent: string, files: readonly { path: string; content: string }[]) => {
    const scratch = await mkdtemp(join(tmpdir(), 'waybill-git-'))
    const index = { GIT_INDEX_FILE: join(scratch, 'index') }
    try {
      await git(['read-tree', parent], '', index)
      for (const file of files) {
        const blob = await git(['hash-object', '-w', '--stdin', '--no-filters'], file.content)
        await git(['update-index', '--add', '--cacheinfo', `100644,${blob},${file.path}`], '', index)
      }
      return await git(['write-tree'], '', index)
    } finally {
      await rm(scratch, { recursive: true, force: true })
    }
  }

  const pullRequest = async (branch: string, commit: string, text: string): Promise<string> => {
    const listed = await git(['for-each-ref', '--format=%(refname) %(*objectname)', 'refs/pull/'])
    const requests = listed.split('\n').filter((line) => line !== '')
    const known = requests.find((line) => line.endsWith(` ${commit}`))?.split(' ')[0]
    if (known !== undefined) return known
    for (let number = requests.length + 1; ; number++) {
      const ref = `refs/pull/${number}`
      const tag = await git(
        ['mktag'],
        `object ${commit}\ntype commit\ntag pull-${number}\ntagger ${tagger(clock)}\n\n${text}\n\nBranch: ${branch}\n`,
      )
      const taken = await git(['update-ref', ref, tag, NONE]).then(
        () => false,
        () => true,
      )
      if (!taken) return ref
      if ((await find(ref)) === null)
        throw new WaybillError('CONFLICT', `The repository did not take ${ref}. Look at its permissions and try again.`)
    }
  }

  return {
    async publish({ branch, base, title, body, files }) {
      validate(branch, base, files)
      const baseCommit = await ensure(base)
      const before = await find(`refs/heads/${branch}^{commit}`)
      const parent = before ?? baseCommit
      const tree = await treeOf(parent, files)
      let commit = parent
      // The same content again is the same publication: a retried task makes no second commit.
      if (before === null || (await git(['rev-parse', `${parent}^{tree}`])) !== tree) {
        commit = await git(['commit-tree', tree, '-p', parent], `${title}\n\n${body}\n`)
        await git(['update-ref', `refs/heads/${branch}`, commit, before ?? NONE]).catch((cause) => {
          throw new WaybillError('CONFLICT', `The branch ${branch} moved while it was written. Try again.`, { cause })
        })
      }
      return { branch, commit, pull_request: await pullRequest(branch, commit, `${title}\n\n${body}`) }
    },
  }
}

function validate(branch: string, base: string, files: readonly { path: string }[]): void {
  if (!BRANCH.test(branch) || !BRANCH.test(base) || branch.endsWith('.lock'))
    throw new WaybillError('BAD_INPUT', 'A branch name is made of letters, digits, "_", "-" and "/".')
  if (branch === base) throw new WaybillError('BAD_INPUT', `Waybill never writes the base branch ${base}; name another branch.`)
  const wrong = files.find((file) => !FILE_PATH.test(file.path) || file.path.length > 400)
  if (wrong !== undefined)
    throw new WaybillError(
      'BAD_INPUT',
      'A file path in a pull request is relative, of letters, digits, ".", "_" and "-"; no part starts with a dot.',
    )
}

/** Nothing of the user's: no configuration, no hooks' environment, no prompt, one identity. */
function environment(path: string, clock: Clock): Record<string, string> {
  const date = `${Math.floor(clock.now().getTime() / 1000)} +0000`
  const who = { NAME: 'Waybill', EMAIL: 'waybill@localhost.localdomain', DATE: date }
  return {
    PATH: path,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_COUNT: '2',
    GIT_CONFIG_KEY_0: 'core.hooksPath',
    GIT_CONFIG_VALUE_0: '/dev/null',
    GIT_CONFIG_KEY_1: 'safe.directory',
    GIT_CONFIG_VALUE_1: '*',
    GIT_TERMINAL_PROMPT: '0',
    ...Object.fromEntries(
      Object.entries(who).flatMap(([key, value]) => [
        [`GIT_AUTHOR_${key}`, value],
        [`GIT_COMMITTER_${key}`, value],
      ]),
    ),
  }
}

function tagger(clock: Clock): string {
  return `Waybill <waybill@localhost.localdomain> ${Math.floor(clock.now().getTime() / 1000)} +0000`
}

/** Standard output, without its last line break. */
function run(args: readonly string[], input: string | Buffer, env: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile('git', args, { env, maxBuffer: 16 * 1024 * 1024, timeout: 60_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.replace(/\n$/, ''))
      else if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        reject(new WaybillError('NOT_FOUND', 'The command git was not found; install Git, or name another Git host.'))
      else reject(new WaybillError('CONNECTION_FAILED', `git ${args[2] ?? ''} failed: ${stderr.slice(0, 500)}`))
    })
    // git may end before it has read its input; that is its exit code's to report.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}
