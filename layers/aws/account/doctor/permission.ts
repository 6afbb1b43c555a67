import { namesAction, namesResource, type Statement } from './policy.ts'

/** `depends`: on the conditions of the statements named in `on`, which nobody here can judge. */
export type Permission = { verdict: 'yes' | 'no' | 'depends'; on: string[] }

/**
 * Who asks for what. `context`: condition keys that the request itself decides, with what Waybill's own functions say in them; null for
 * somebody else, who says in them what suits.
 */
export type Asked = {
  principal: string
  action: string
  resource: string
  keys: readonly string[]
  context: Readonly<Record<string, string>> | null
}

type Applies = 'yes' | 'no' | 'depends'

/**
 * What a resource's policy says of a request, by itself: an explicit Deny goes before every Allow. Nothing is known of IAM, of service control
 * policies or of who asks from where.
 */
export function permission(statements: readonly Statement[], asked: Asked): Permission {
  const about = statements.filter((each) => namesAction(each, asked.action) && namesResource(each, asked.resource))
  const applying = (effect: Statement['effect'], applies: Applies) =>
    about.filter((each) => each.effect === effect && appliesTo(each, asked) === applies).map(({ id }) => id)
  if (applying('Deny', 'yes').length > 0) return { verdict: 'no', on: [] }
  const allowed = applying('Allow', 'yes').length > 0
  const perhaps = applying('Allow', 'depends')
  if (!allowed && perhaps.length === 0) return { verdict: 'no', on: [] }
  const on = [...applying('Deny', 'depends'), ...(allowed ? [] : perhaps)]
  return { verdict: on.length === 0 ? 'yes' : 'depends', on }
}

/** Everybody whom a statement that allows this action names; `*` for everybody, also with exceptions. */
export function candidates(statements: readonly Statement[], action: string): string[] {
  const allowing = statements.filter((each) => each.effect === 'Allow' && namesAction(each, action))
  return [...new Set(allowing.flatMap(({ principals }) => (principals.except ? ['*'] : principals.list)))]
}

function appliesTo(statement: Statement, asked: Asked): Applies {
  const [who, when] = [namesPrincipal(statement, asked.principal), holds(statement, asked)]
  if (who === 'no' || when === 'no') return 'no'
  return who === 'yes' && when === 'yes' ? 'yes' : 'depends'
}

function namesPrincipal({ effect, principals: { except, list } }: Statement, principal: string): Applies {
  const account = accountOf(principal)
  if (!except) {
    if (list.includes('*') || list.includes(principal)) return 'yes'
    if (list.some((each) => isSessionOf(each, principal))) return 'depends'
    // Denied to an account it is denied to everybody in it; allowed to an account it is left to IAM there.
    return account !== null && list.includes(account) ? (effect === 'Deny' ? 'yes' : 'depends') : 'no'
  }
  if (principal === '*') return effect === 'Allow' ? 'yes' : 'depends'
  if (!list.includes(principal)) return 'yes'
  // By exception a role is meant only together with its account and its sessions.
  return effect === 'Deny' && account !== null && !list.includes(account) ? 'depends' : 'no'
}

/** `arn:aws:iam::111122223333:root` for whoever is in that account. */
function accountOf(principal: string): string | null {
  const [, partition, account] = /^arn:([^:]+):(?:iam|sts)::(\d{12}):/.exec(principal) ?? []
  return account === undefined ? null : `arn:${partition}:iam::${account}:root`
}

function isSessionOf(session: string, role: string): boolean {
  const [, account, name] = /^arn:[^:]+:sts::(\d{12}):assumed-role\/([^/]+)\//.exec(session) ?? []
  return account !== undefined && name !== undefined && role.includes(`::${account}:role/`) && role.endsWith(`/${name}`)
}

/** Condition keys are not case-sensitive; their values are. */
function holds({ effect, conditions }: Statement, { keys, context }: Asked): Applies {
  let unsure = false
  for (const { operator, key, values } of conditions ?? []) {
    const known = keys.find((each) => each.toLowerCase() === key.toLowerCase())
    const equals = operator === 'StringEquals'
    if (known === undefined || (!equals && operator !== 'StringNotEquals')) unsure = true
    else if (context === null) {
      // Whoever asks chooses what is allowed, and goes round what is denied.
      if (effect === 'Deny') return 'no'
    } else if (values.includes(context[known] ?? '') !== equals) return 'no'
  }
  return unsure ? 'depends' : 'yes'
}
