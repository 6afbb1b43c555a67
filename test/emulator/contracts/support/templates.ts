import type { Template } from 'aws-cdk-lib/assertions'
import { resourcesOf, synthesise } from '../../../infra/synth.ts'
import { ACCOUNT, REGION } from '../../harness/ministack.ts'

type Properties = Record<string, unknown>

/** Properties of resources as the production stage's templates make them, with what they refer to filled in. */
export type Templates = {
  /** The one resource of a type whose logical id begins so. `arns`: what `Fn::GetAtt … Arn` of other resources stands for, by the same beginning. */
  properties(type: string, id: string, arns?: Readonly<Record<string, string>>): Properties
}

export function templates(): Templates {
  const { state } = synthesise('prod')
  const one = (template: Template, type: string, id: string): Properties => {
    const found = resourcesOf(template, type).filter(([name]) => name.startsWith(id))
    if (found.length !== 1) throw new Error(`${found.length} resources of ${type} begin with ${id}; one was expected`)
    return found[0]![1].Properties
  }
  return {
    properties: (type, id, arns = {}) => resolved(one(state, type, id), arns) as Properties,
  }
}

function resolved(value: unknown, arns: Readonly<Record<string, string>>): unknown {
  if (Array.isArray(value)) return value.map((each) => resolved(each, arns))
  if (typeof value !== 'object' || value === null) return value
  const [[name, argument] = ['', undefined], ...more] = Object.entries(value)
  if (more.length === 0 && name === 'Fn::Join') {
    const [delimiter, parts] = argument as [string, unknown[]]
    return parts.map((part) => resolved(part, arns)).join(delimiter)
  }
  if (more.length === 0 && name === 'Ref') {
    const pseudo: Record<string, string> = { 'AWS::AccountId': ACCOUNT, 'AWS::Region': REGION, 'AWS::Partition': 'aws' }
    return pseudo[String(argument)] ?? `<${String(argument)}>`
  }
  if (more.length === 0 && name === 'Fn::GetAtt') {
    const [id = ''] = argument as string[]
    const known = Object.entries(arns).find(([beginning]) => id.startsWith(beginning))
    return known?.[1] ?? `<${id}>`
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolved(inner, arns)]))
}
