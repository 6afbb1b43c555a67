import { z } from 'zod'

const many = z.union([z.string(), z.array(z.string())]).transform((value) => (typeof value === 'string' ? [value] : value))
const document = z.object({
  Statement: z.preprocess(
    (value) => (Array.isArray(value) ? value : [value]),
    z.array(
      z.object({
        Effect: z.enum(['Allow', 'Deny']),
        Principal: z.union([z.string(), z.record(z.string(), many)]).optional(),
        NotPrincipal: z.unknown().optional(),
        Action: many.optional(),
        NotAction: z.unknown().optional(),
        Condition: z.unknown().optional(),
      }),
    ),
  ),
})

export type Statement = {
  effect: 'Allow' | 'Deny'
  /** `*` stands for everybody, and for what is said by exception. */
  principals: string[]
  actions: string[]
  conditional: boolean
}

/** A resource's policy, read so that what is unclear counts as allowed to everybody. Nothing where there is none. */
export function readPolicy(text: string | undefined): Statement[] {
  if (text === undefined || text === '') return []
  return document.parse(JSON.parse(text)).Statement.map(({ Effect, Principal, NotPrincipal, Action, NotAction, Condition }) => ({
    effect: Effect,
    principals:
      NotPrincipal !== undefined || Principal === undefined || typeof Principal === 'string' ? ['*'] : Object.values(Principal).flat(),
    actions: NotAction !== undefined || Action === undefined ? ['*'] : Action,
    conditional: Condition !== undefined,
  }))
}

/** Whether a pattern of a policy, such as `kms:*` or `kms:Si?n`, covers an action. */
export function covers(pattern: string, action: string): boolean {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.')
  return new RegExp(`^${escaped}$`, 'i').test(action)
}
