import { z } from 'zod'

const many = z.union([z.string(), z.array(z.string())]).transform((value) => (typeof value === 'string' ? [value] : value))
const principals = z.union([z.string(), z.record(z.string(), many)])
const document = z.object({
  Statement: z.preprocess(
    (value) => (Array.isArray(value) ? value : [value]),
    z.array(
      z.object({
        Sid: z.string().optional(),
        Effect: z.enum(['Allow', 'Deny']),
        Principal: principals.optional(),
        NotPrincipal: principals.optional(),
        Action: many.optional(),
        NotAction: many.optional(),
        Resource: many.optional(),
        NotResource: many.optional(),
        Condition: z.unknown().optional(),
      }),
    ),
  ),
})

/** What a statement names, or, where `except`, everything else. */
type Named = { except: boolean; list: string[] }

/** `id`: its Sid, or where it stands. `conditions`: null where it has none; what could not even be read is one that nobody can judge. */
export type Statement = {
  id: string
  effect: 'Allow' | 'Deny'
  principals: Named
  actions: Named
  resources: Named
  conditions: { operator: string; key: string; values: string[] }[] | null
}

/** A resource's policy; nothing where there is none. `*` is everybody, or everything; an account's number is written as its ARN. */
export function readPolicy(text: string | undefined): Statement[] {
  if (text === undefined || text === '') return []
  return document.parse(JSON.parse(text)).Statement.map((each, at) => ({
    id: each.Sid ?? `number ${at + 1}`,
    effect: each.Effect,
    principals: named(arnsOf(each.Principal), arnsOf(each.NotPrincipal)),
    actions: named(each.Action, each.NotAction),
    resources: named(each.Resource, each.NotResource),
    conditions: conditionsOf(each.Condition),
  }))
}

/** Where a statement names neither, it is about everything. */
function named(list: string[] | undefined, except: string[] | undefined): Named {
  if (list !== undefined) return { except: false, list }
  return except === undefined ? { except: false, list: ['*'] } : { except: true, list: except }
}

function arnsOf(value: z.infer<typeof principals> | undefined): string[] | undefined {
  if (value === undefined || typeof value === 'string') return value === undefined ? undefined : [value]
  return Object.entries(value).flatMap(([kind, names]) =>
    names.map((name) => {
      if (kind !== 'AWS') return name === '*' ? `${kind}:*` : name
      return /^\d{12}$/.test(name) ? `arn:aws:iam::${name}:root` : name
    }),
  )
}

const block = z.record(z.string(), z.record(z.string(), z.union([many, z.boolean().transform((value) => [String(value)])])))

function conditionsOf(value: unknown): Statement['conditions'] {
  if (value === undefined) return null
  const parsed = block.safeParse(value)
  if (!parsed.success) return [{ operator: 'unread', key: '', values: [] }]
  const all = Object.entries(parsed.data).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => ({ operator, key, values })),
  )
  return all.length === 0 ? null : all
}

/** Whether a pattern of a policy, such as `kms:*` or `kms:Si?n`, covers an action. */
export function covers(pattern: string, action: string): boolean {
  return glob(pattern, 'i').test(action)
}

function glob(pattern: string, flags = ''): RegExp {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.')
  return new RegExp(`^${escaped}$`, flags)
}

export const namesAction = ({ actions }: Statement, action: string): boolean =>
  actions.except !== actions.list.some((pattern) => covers(pattern, action))

export const namesResource = ({ resources }: Statement, arn: string): boolean =>
  resources.except !== resources.list.some((pattern) => glob(pattern).test(arn))
