import { z } from 'zod'

const many = z.union([z.string(), z.array(z.string())]).transform((value) => (typeof value === 'string' ? [value] : value))
const document = z.object({
  Statement: z.preprocess(
    (value) => (Array.isArray(value) ? value : [value]),
    z.array(
      z.object({
        Effect: z.enum(['Allow', 'Deny']),
        Principal: z.union([z.string(), z.record(z.string(), many)]).optional(),
        Action: many.optional(),
        Resource: many.optional(),
        Condition: z.unknown().optional(),
      }),
    ),
  ),
})

export type Statement = { effect: 'Allow' | 'Deny'; principals: string[]; actions: string[]; resources: string[]; conditional: boolean }

/**
 * A resource's policy; nothing where there is none. `*` is everybody, or everything. What is said by exception (NotPrincipal, NotAction) is
 * read so that it looks worse than it is: as allowed to everybody, or as denied to nobody.
 */
export function readPolicy(text: string | undefined): Statement[] {
  if (text === undefined || text === '') return []
  return document.parse(JSON.parse(text)).Statement.map(({ Effect, Principal, Action, Resource, Condition }) => {
    const unclear = Effect === 'Allow' ? ['*'] : []
    const named = typeof Principal === 'string' ? ['*'] : Principal && Object.values(Principal).flat()
    return {
      effect: Effect,
      principals: named ?? unclear,
      actions: Action ?? unclear,
      resources: Resource ?? unclear,
      conditional: Condition !== undefined,
    }
  })
}

/** Whether a pattern of a policy, such as `kms:*` or `kms:Si?n`, covers an action. */
export function covers(pattern: string, action: string): boolean {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.')
  return new RegExp(`^${escaped}$`, 'i').test(action)
}
