import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

type Commit = { tree: string; parents: string[] }

/** The part of GitHub's REST API that publishing needs, for one repository and one good token, over real HTTP, with real refusals. */
export async function gitHub(repository: string, goodToken: string) {
  const blobs = new Map<string, Map<string, string>>([['tree-0', new Map([['README.md', '# base\n']])]])
  const commits = new Map<string, Commit>([['commit-0', { tree: 'tree-0', parents: [] }]])
  const refs = new Map([['main', 'commit-0']])
  const pulls: { head: string; base: string; title: string; body: string; html_url: string }[] = []
  const tokens: (string | undefined)[] = []
  const calls: string[] = []
  const id = (kind: string, value: unknown) => `${kind}-${createHash('sha1').update(JSON.stringify(value)).digest('hex')}`

  const answer = (method: string, path: string, query: URLSearchParams, body: Record<string, unknown>): [number, unknown] => {
    const branch = /^git\/(?:ref|refs)\/heads\/(.+)$/.exec(path)?.[1]
    if (method === 'GET' && branch !== undefined) {
      const sha = refs.get(decodeURIComponent(branch))
      return sha === undefined ? [404, {}] : [200, { object: { sha } }]
    }
    if (method === 'GET' && path.startsWith('git/commits/')) {
      const sha = path.slice('git/commits/'.length)
      const found = commits.get(sha)
      return found === undefined ? [404, {}] : [200, { sha, tree: { sha: found.tree } }]
    }
    if (method === 'POST' && path === 'git/trees') {
      const files = new Map(blobs.get(String(body.base_tree)))
      for (const file of body.tree as { path: string; content: string }[]) files.set(file.path, file.content)
      const sha = id('tree', [...files].sort())
      blobs.set(sha, files)
      return [201, { sha }]
    }
    if (method === 'POST' && path === 'git/commits') {
      const made = { tree: String(body.tree), parents: body.parents as string[] }
      const sha = id('commit', [made, body.message])
      commits.set(sha, made)
      return [201, { sha, tree: { sha: made.tree } }]
    }
    if (method === 'POST' && path === 'git/refs') {
      const name = String(body.ref).replace('refs/heads/', '')
      if (refs.has(name)) return [422, {}]
      refs.set(name, String(body.sha))
      return [201, { object: { sha: body.sha } }]
    }
    if (method === 'PATCH' && branch !== undefined) {
      const name = decodeURIComponent(branch)
      const fastForward = commits.get(String(body.sha))?.parents.includes(refs.get(name) ?? '')
      if (!fastForward || body.force !== false) return [422, {}]
      refs.set(name, String(body.sha))
      return [200, { object: { sha: body.sha } }]
    }
    if (path === 'pulls' && method === 'GET')
      return [
        200,
        pulls.filter((pull) => `${repository.split('/')[0]}:${pull.head}` === query.get('head') && pull.base === query.get('base')),
      ]
    if (path === 'pulls' && method === 'POST') {
      const pull = {
        head: String(body.head),
        base: String(body.base),
        title: String(body.title),
        body: String(body.body),
        html_url: `https://git.test/pull/${pulls.length + 1}`,
      }
      pulls.push(pull)
      return [201, pull]
    }
    return [500, {}]
  }

  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const url = new URL(request.url ?? '/', 'http://host')
    const path = url.pathname.replace(`/repos/${repository}/`, '')
    calls.push(`${request.method} ${path}`)
    tokens.push(request.headers.authorization)
    const text = Buffer.concat(chunks).toString()
    const [status, json] =
      request.headers.authorization === `Bearer ${goodToken}`
        ? answer(request.method ?? '', path, url.searchParams, text === '' ? {} : JSON.parse(text))
        : [401, {}]
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    api: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    tokens,
    pulls,
    commitOf: async (branch: string) => refs.get(branch) ?? null,
    parentsOf: async (commit: string) => commits.get(commit)?.parents ?? [],
    fileAt: async (commit: string, path: string) => blobs.get(commits.get(commit)?.tree ?? '')?.get(path) ?? '',
    textOf: async (pull: string) => JSON.stringify(pulls.find((each) => each.html_url === pull)),
    done: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
