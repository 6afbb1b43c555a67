import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { z } from 'zod'
import { type DoctorLine, fail, ok, warn } from '../../../core/doctor.ts'
import { WaybillError } from '../../../core/errors.ts'
import { secretText } from '../../secrets.ts'
import type { Patient } from './place.ts'

const repository = z.object({
  default_branch: z.string(),
  permissions: z.object({ push: z.boolean(), admin: z.boolean(), maintain: z.boolean().optional() }),
})
const rules = z.array(
  z.object({ type: z.string(), parameters: z.object({ required_approving_review_count: z.number().optional() }).optional() }),
)
const branch = z.object({ protected: z.boolean() })

/** The token can open a pull request and cannot merge one. Asked by reading only: nothing is tried. */
export async function gitLines(
  { session, outputs: { GitTokenArn, GitRepository } }: Patient,
  fetch: typeof globalThis.fetch,
  api = 'https://api.github.com',
): Promise<DoctorLine[]> {
  const token = await secretText(new SecretsManagerClient(session.config), GitTokenArn)
  if (/^[A-Za-z0-9]{64}$/.test(token))
    return [
      fail(
        'git-token',
        'The secret of the git token still holds what was generated for it.',
        'Store a token with contents: write and pull requests: write on the one repository (docs/deploy.md).',
      ),
    ]
  const ask = async (path: string) => {
    const answer = await fetch(`${api}/repos/${GitRepository}${path}`, {
      headers: { accept: 'application/vnd.github+json', authorization: `Bearer ${token}`, 'user-agent': 'waybill' },
      signal: AbortSignal.timeout(20_000),
    }).catch((cause: unknown) => {
      throw new WaybillError('CONNECTION_FAILED', 'the git host cannot be reached from here.', { cause })
    })
    return { status: answer.status, body: (await answer.json().catch(() => null)) as unknown }
  }
  const about = await ask('')
  const found = repository.safeParse(about.body)
  if (about.status !== 200 || !found.success)
    return [
      fail(
        'git-token',
        `The git host does not show ${GitRepository} to the token (HTTP ${about.status}).`,
        'Give the token access to the repository, or name the right one in git.repository of infra/settings.<stage>.json.',
      ),
    ]
  const { default_branch: base, permissions } = found.data
  if (!permissions.push)
    return [fail('git-token', `The token cannot push to ${GitRepository}.`, 'Give it contents: write and pull requests: write.')]
  if (permissions.admin || permissions.maintain === true)
    return [
      fail(
        'git-token',
        `The token's owner administers ${GitRepository}, and can merge past any rule.`,
        'Use a token of somebody who may push, and no more.',
      ),
    ]
  const [guarded, active] = [await ask(`/branches/${encodeURIComponent(base)}`), await ask(`/rules/branches/${encodeURIComponent(base)}`)]
  const protection = branch.safeParse(guarded.body)
  const ruled = rules.safeParse(active.body)
  const reviewed =
    ruled.success &&
    ruled.data.some(({ type, parameters }) => type === 'pull_request' && (parameters?.required_approving_review_count ?? 0) > 0)
  if (reviewed) return [ok('git-token', `The token can open a pull request in ${GitRepository}; a merge into ${base} takes a review.`)]
  if (protection.success && protection.data.protected)
    return [
      warn(
        'git-token',
        `${base} of ${GitRepository} is protected, but the token may not read how.`,
        "See in the settings that a merge takes a review, and that the token's owner may not bypass it.",
      ),
    ]
  return [
    fail(
      'git-token',
      `Nothing keeps the token from merging into ${base} of ${GitRepository}.`,
      `Protect ${base}: a pull request with at least one review.`,
    ),
  ]
}
