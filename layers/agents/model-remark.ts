import { z } from 'zod'
import { mixesAlphabets } from '../core/approval-page/visible-text.ts'
import { parseStrictJson } from '../core/strict-json.ts'

/** All that a model may add: remarks for people, shown as limitations. It cannot reach the proposal. */
export const modelAnswer = z.strictObject({ remarks: z.array(z.string().min(1).max(300)).max(20) })

/** Largest answer that is read at all, in characters of JSON. */
const MAX_ANSWER = 20_000
/** An answer is an object with a list of texts in it. */
const MAX_DEPTH = 8

/** Text no remark may carry: claims that belong to people, and anything that looks like a secret. Matched on text folded to its plain letters. */
const REFUSED: readonly { pattern: RegExp; why: string }[] = [
  {
    pattern: /\b(?:pre-?)?(?:approv|authori[sz]|certif|sign(?:ed|s)?[- ]?off|sign(?:ed)\b)/i,
    why: 'it claims an approval, which only people give',
  },
  { pattern: /\b(?:env|file|aws-secretsmanager|aws-sm|aws-rds-iam|vault|azure-keyvault|azure-kv):\/\//i, why: 'it names a secret' },
  {
    pattern: /\b(?:password|passwd|pwd|secret|api[-_ ]?key|token)\b\s*[:=]|\bAKIA[0-9A-Z]{12,}|-----BEGIN|:\/\/[^\s/@]+:[^\s/@]+@/i,
    why: 'it holds what looks like a secret',
  },
  { pattern: /[<>`]|\bhttps?:\/\//i, why: 'it carries markup or a link' },
]

/** Reads a model's answer, which is hostile. Either all of its remarks or none, with the reason. */
export function readModelAnswer(answer: unknown): { remarks: string[] } | { refused: string } {
  let text: string
  try {
    text = typeof answer === 'string' ? answer : JSON.stringify(answer)
  } catch {
    return { refused: 'it is not data' }
  }
  if (typeof text !== 'string') return { refused: 'it is empty' }
  if (text.length > MAX_ANSWER) return { refused: `it is longer than ${MAX_ANSWER} characters` }
  let value: unknown
  try {
    // Duplicate names, `__proto__` and their like could mean one thing here and another to whoever reads the answer later.
    value = parseStrictJson(text, { maxDepth: MAX_DEPTH })
  } catch {
    return { refused: 'it is not JSON that can be read in one way only' }
  }
  const parsed = modelAnswer.safeParse(value)
  if (!parsed.success) return { refused: 'it is not {"remarks": […]} within its limits' }
  for (const remark of parsed.data.remarks) {
    // Hidden characters part words for a reader that sees them and join them for one that does not.
    const readings = [fold(remark, ' '), fold(remark, '')]
    const rule = REFUSED.find(({ pattern }) => readings.some((reading) => pattern.test(reading)))
    if (rule !== undefined) return { refused: rule.why }
    if (readings.some(mixesAlphabets)) return { refused: 'it mixes alphabets inside a word' }
  }
  return { remarks: parsed.data.remarks.map((remark) => fold(remark, ' ')) }
}

/** Compatibility letters to plain ones; `instead` of invisible and control characters. */
function fold(text: string, instead: string): string {
  return text.normalize('NFKC').replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}]/gu, instead)
}
