import { visible } from '../core/approval-page/visible-text.ts'
import { ACCEPT, decisionId } from '../core/decisions.ts'
import { baseType, type CoercionRule, ruleFor } from '../core/rulebooks.ts'
import type { CatalogColumn } from '../core/schemas/catalog.ts'
import type { TypeCoercionRulebook } from '../core/schemas/policy.ts'
import type { ColumnMapping, ManualDecision } from '../core/schemas/proposal.ts'
import type { Transform } from '../core/schemas/spec.ts'
import { readSqlType, sqlType } from '../core/sql-type.ts'
import { type DecisionDesk, REVISE_CHOICE } from './decision-desk.ts'
import { isText, naturalType } from './natural-type.ts'
import { suspectedPii } from './personal-data.ts'

export type ColumnAsk = {
  tableId: string
  /** `public.flights` and `aviation.flight`, for people. */
  from: string
  to: string
  target: string
  source: readonly CatalogColumn[]
  type: string | undefined
  transform: Transform | undefined
  nullable: boolean | undefined
  pii: boolean | undefined
  /** Whether a key, a foreign key or an order key needs the column as it is. */
  needed: boolean
}

export type ColumnRules = { rulebook: TypeCoercionRulebook; fragments: readonly string[]; maskRequired: boolean; desk: DecisionDesk }

/** Masks that the page for decisions offers. */
const OFFERED_KEEP = 2
const REDACTED = '[redacted]'
const MASKS: readonly Transform['kind'][] = ['mask_partial', 'mask_redact', 'mask_sha256', 'constant']

/** One column mapped; null when a person decided to leave it out; a sentence when the rulebook has no way. */
export function mapColumn(ask: ColumnAsk, rules: ColumnRules): ColumnMapping | null | { impossible: string } {
  const first = shape(ask, rules.rulebook, ask.transform, ask.type)
  if ('impossible' in first) return first
  const settled = settleLoss(ask, rules, first)
  return settled === null || 'impossible' in settled ? settled : settlePii(ask, rules, settled)
}

type Shaped = ColumnMapping & { says: string; needsDecision: boolean }

function shape(
  ask: ColumnAsk,
  rulebook: TypeCoercionRulebook,
  wanted: Transform | undefined,
  type: string | undefined,
): Shaped | { impossible: string } {
  const sourceTypes = ask.source.map((column) => column.type)
  const natural = sourceTypes[0] === undefined ? null : naturalType(sourceTypes[0])
  const targetType = type === undefined ? defaultType(wanted, natural) : sqlType(type)
  const transform = wanted ?? directTransform(sourceTypes, targetType)
  const rule: CoercionRule | null = ruleFor(rulebook, sourceTypes, targetType, transform)
  if (rule === null)
    return { impossible: `${ask.from} → ${ask.to}, column ${shown(ask.target)}: ${noWay(ask, rulebook, transform, targetType)}` }
  return {
    target: ask.target,
    target_type: targetType,
    nullable: ask.nullable ?? nullable(transform, ask.source),
    source: ask.source.map((column) => column.name),
    source_types: [...sourceTypes],
    transform,
    rule: rule.id,
    lossy: rule.lossy,
    pii: false,
    says: rule.says,
    needsDecision: rule.needs_decision,
  }
}

/** Why no rule applies, and what to write instead. */
function noWay({ source, type }: ColumnAsk, rulebook: TypeCoercionRulebook, transform: Transform, targetType: string): string {
  const types = source.map((column) => column.type)
  const [own] = source
  if (type === undefined && own !== undefined && types.some((each) => naturalType(each) === null))
    return `Waybill creates no column of the type ${visible(own.type, 60)}. Leave it out with exclude: [${visible(own.name, 80)}], which approvers see, or mask it.`
  const reachable = rulebook.rules
    .filter(({ transform: by, from }) => by === transform.kind && types.every((each) => from.includes(baseType(each))))
    .flatMap(({ to }) => to)
  const from = types.map((text) => visible(text, 60)).join(', ') || 'nothing'
  return `no rule leads from ${from} to ${targetType} by "${transform.kind}". ${reachable.length === 0 ? 'Choose another type or transform.' : `It leads to: ${[...new Set(reachable)].sort().join(', ')}.`}`
}

function directTransform(sourceTypes: readonly string[], targetType: string): Transform {
  const [source] = sourceTypes
  return source !== undefined && baseType(source) === baseType(targetType) && readSqlType(targetType)?.text === naturalType(source)
    ? { kind: 'identity' }
    : { kind: 'cast' }
}

function defaultType(transform: Transform | undefined, natural: string | null): string {
  switch (transform?.kind) {
    case undefined:
    case 'identity':
    case 'cast':
    case 'truncate_time':
      return natural ?? 'text'
    case 'minutes_to_interval':
      return 'interval'
    case 'scale':
      return 'numeric'
    case 'lowercase':
    case 'trim':
      return natural !== null && isText(natural) ? natural : 'text'
    default:
      return 'text'
  }
}

function nullable(transform: Transform, source: readonly CatalogColumn[]): boolean {
  if (transform.kind === 'constant') return transform.value === null
  // NULLs are skipped, so the text of several columns is never NULL.
  if (transform.kind === 'concat') return false
  return source.some((column) => column.nullable)
}

/** A rule that loses something applies only when a person says so. */
function settleLoss(ask: ColumnAsk, rules: ColumnRules, column: Shaped): Shaped | null | { impossible: string } {
  if (!column.needsDecision) return column
  const kept = ask.source.length === 1 ? shape(ask, rules.rulebook, undefined, undefined) : { impossible: '' }
  const canKeep =
    !('impossible' in kept) &&
    !kept.needsDecision &&
    (kept.target_type !== column.target_type || kept.transform.kind !== column.transform.kind)
  const choices: ManualDecision['choices'] = [
    { choice: ACCEPT, label: 'Map it as proposed', consequence: column.says.slice(0, 500) },
    ...(canKeep
      ? [
          {
            choice: 'keep-source',
            label: `Keep ${kept.target_type}, unchanged`,
            consequence: 'Nothing is lost; the target column has the type of the source.',
          },
        ]
      : []),
    ...(ask.needed ? [] : [{ choice: 'leave-out', label: 'Leave the column out', consequence: 'The target gets no such column.' }]),
    REVISE_CHOICE,
  ]
  const sources = column.source.map((name, index) => `${shown(name)} (${visible(column.source_types[index] ?? '', 60)})`).join(', ')
  const choice = rules.desk.ask({
    decision_id: decisionId('lossy', ask.tableId, ask.target),
    where: where(ask),
    question: `May ${sources} become ${shown(ask.target)} (${column.target_type}) by "${column.transform.kind}", although information can be lost?`,
    why: `${column.says} (rule ${column.rule})`,
    choices,
  })
  if (choice === 'leave-out') return null
  return choice === 'keep-source' && canKeep ? kept : column
}

/** Personal data arrives masked unless a person says otherwise. */
function settlePii(ask: ColumnAsk, rules: ColumnRules, column: Shaped): ColumnMapping | null {
  const names = [ask.target, ...column.source]
  const suspected = ask.pii ?? names.some((name) => suspectedPii(name, rules.fragments))
  const plain: ColumnMapping = strip({ ...column, pii: suspected })
  if (!suspected || !rules.maskRequired || MASKS.includes(column.transform.kind)) return plain
  const masks = ask.needed ? [] : offeredMasks(plain)
  const choice = rules.desk.ask({
    decision_id: decisionId('pii', ask.tableId, ask.target),
    where: where(ask),
    question: `${shown(ask.target)} looks like personal data and would arrive unmasked. Shall it?`,
    why:
      ask.pii === true
        ? 'The spec marks the column as personal data, and the policy asks for a mask.'
        : 'Its name suggests personal data, and the policy asks for a mask.',
    choices: [
      { choice: ACCEPT, label: 'Let it arrive as it is', consequence: 'Whoever reads the target reads these values.' },
      ...masks.map(({ choice: name, label, consequence }) => ({ choice: name, label, consequence })),
      ...(ask.needed ? [] : [{ choice: 'leave-out', label: 'Leave the column out', consequence: 'The target gets no such column.' }]),
      REVISE_CHOICE,
    ],
  })
  if (choice === 'leave-out') return null
  const mask = masks.find((offer) => offer.choice === choice)
  if (mask === undefined) return plain
  const rule = ruleFor(rules.rulebook, plain.source_types, 'text', mask.transform)
  return rule === null ? plain : { ...plain, target_type: 'text', transform: mask.transform, rule: rule.id, lossy: rule.lossy }
}

function offeredMasks(column: ColumnMapping): { choice: string; label: string; consequence: string; transform: Transform }[] {
  if (column.source.length !== 1) return []
  return [
    {
      choice: 'mask-partial',
      label: `Show the first ${OFFERED_KEEP} characters only`,
      consequence: 'The column becomes text; the rest of each value is starred out.',
      transform: { kind: 'mask_partial', keep: OFFERED_KEEP },
    },
    {
      choice: 'mask-redact',
      label: 'Hide every value',
      consequence: `The column becomes text; every value but NULL becomes ${REDACTED}.`,
      transform: { kind: 'mask_redact', value: REDACTED },
    },
  ]
}

function strip(column: Shaped): ColumnMapping {
  const { says: _says, needsDecision: _needsDecision, ...plain } = column
  return plain
}

function where(ask: ColumnAsk): string {
  return visible(`${ask.from} → ${ask.to}.${ask.target}`, 500)
}

function shown(name: string): string {
  return `"${visible(name, 80)}"`
}
