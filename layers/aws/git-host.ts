import { z } from 'zod'
import { WaybillError } from '../core/errors.ts'
import type { GitHost } from '../core/ports.ts'

/** Parts that do not start with a dot: no `..`, no `.git`, nothing absolute. */
const FILE_PATH = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}(\/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){0,15}$/
const BRANCH = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}(\/[A-Za-z0-9][A-Za-z0-9_-]{0,99}){0,5}$/

const ref = z.object({ object: z.object({ sha: z.string() }) })
const commit = z.object({ sha: z.string(), tree: z.object({ sha: z.string() }) })
const created = z.object({ sha: z.string() })
const pull = z.object({ html_url: z.string() })

/**
 * GitHub by its REST API: blobs in a tree, a commit, a branch, a pull request. There is no merge call, and the token should not
 * be able to merge either (docs/deploy.md). `repository` is `owner/name`; `token` is asked for at every publish and kept nowhere.
 * Publishing the same change again finds the branch and the pull request that are already there.
 */
export function gitHubHost({
  repository,
  token,
  fetch,
  api = 'https://api.github.com',
}: {
  repository: string
  token: () => Promise<string>
  fetch: typeof globalThis.fetch
  api?: string
}): GitHost {
  const call = async (bearer: string, method: 'GET' | 'POST' | 'PATCH', path: string, body?: unknown) => {
    const response = await fetch(`${api}/repos/${repository}/${path}`, {
      method,
      headers: {
        accept: 'application/vnd.github+json',
        authorization: `Bearer ${bearer}`,
        'user-agent': 'waybill',
        'x-github-api-version': '2022-11-28',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      signal: AbortSignal.timeout(20_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error) => {
      throw new WaybillError('CONNECTION_FAILED', 'The git host could not be reached. It is safe to try again.', { cause: error })
    })
    return { status: response.status, json: response.status === 204 ? null : ((await response.json().catch(() => null)) as unknown) }
  }

  const expect = <S extends z.ZodType>(answer: { status: number; json: unknown }, schema: S, doing: string): z.infer<S> => {
    if (answer.status === 401 || answer.status === 403)
      throw new WaybillError(
        'PERMISSION_DENIED',
        `${doing}: the git host refused the token (HTTP ${answer.status}). Check its scopes in docs/deploy.md.`,
      )
    if (answer.status === 404) throw new WaybillError('NOT_FOUND', `${doing}: the git host does not know ${repository} or its base branch.`)
    if (answer.status >= 400)
      throw new WaybillError('CONNECTION_FAILED', `${doing}: the git host answered HTTP ${answer.status}. It is safe to try again.`)
    const parsed = schema.safeParse(answer.json)
    if (!parsed.success) throw new WaybillError('CONNECTION_FAILED', `${doing}: the git host answered in a shape that is not GitHub's.`)
    return parsed.data
  }

  return {
    async publish({ branch, base, title, body, files }) {
      if (!BRANCH.test(branch) || !BRANCH.test(base) || branch === base)
        throw new WaybillError('BAD_INPUT', 'A change is published on a branch of its own: letters, digits, -, _ and /.')
      const odd = files.find(({ path }) => !FILE_PATH.test(path))
      if (odd !== undefined) throw new WaybillError('BAD_INPUT', `A file cannot be published under the name ${JSON.stringify(odd.path)}.`)
      const bearer = await token()
      const get = (path: string) => call(bearer, 'GET', path)
      const post = (path: string, json: unknown) => call(bearer, 'POST', path, json)

      const branchRef = await get(`git/ref/heads/${encodePath(branch)}`)
      const exists = branchRef.status !== 404
      const head = exists
        ? expect(branchRef, ref, 'Reading the branch')
        : expect(await get(`git/ref/heads/${encodePath(base)}`), ref, 'Reading the base branch')
      const parent = expect(await get(`git/commits/${head.object.sha}`), commit, 'Reading the last commit')
      const tree = expect(
        await post('git/trees', {
          base_tree: parent.tree.sha,
          tree: files.map(({ path, content }) => ({ path, content, mode: '100644', type: 'blob' })),
        }),
        created,
        'Writing the files',
      )

      // The same tree on our own branch means that this change was committed before: nothing to add.
      let sha = head.object.sha
      if (!exists || tree.sha !== parent.tree.sha) {
        sha = expect(
          await post('git/commits', { message: title, tree: tree.sha, parents: [head.object.sha] }),
          created,
          'Writing the commit',
        ).sha
        expect(
          exists
            ? await call(bearer, 'PATCH', `git/refs/heads/${encodePath(branch)}`, { sha, force: false })
            : await post('git/refs', { ref: `refs/heads/${branch}`, sha }),
          ref,
          'Moving the branch',
        )
      }

      const owner = repository.split('/')[0] ?? ''
      const open = expect(
        await get(`pulls?state=open&head=${encodeURIComponent(`${owner}:${branch}`)}&base=${encodeURIComponent(base)}`),
        z.array(pull),
        'Looking for the pull request',
      )
      const request = open[0] ?? expect(await post('pulls', { title, body, head: branch, base }), pull, 'Opening the pull request')
      return { branch, commit: sha, pull_request: request.html_url }
    },
  }
}

function encodePath(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/')
}
