import { describe, expect, it } from 'vitest'
import { planSections } from '../../layers/core/approval-page/plan-words.ts'
import { WaybillError, wholeMessage } from '../../layers/core/errors.ts'
import { inOneLine } from '../../layers/core/one-line.ts'
import type { fixturePlan } from '../support/pack-fixture.ts'
import { column, planOf } from './support/plan.ts'

it('sentences in one line are not separated by a full stop and a semicolon', () => {
  expect(inOneLine(['Nothing was rolled back.', 'rb.dep', 'Look there. '])).toBe('Nothing was rolled back; rb.dep; Look there. ')
  expect(inOneLine(['One.'])).toBe('One.')
  expect(inOneLine([])).toBe('')
  // What a library or a pack left empty leaves no mark, wherever it stands.
  expect(inOneLine(['', 'One.', ' ', 'Two.', '.'])).toBe('One; Two.')
  expect(inOneLine(['', ''])).toBe('')
  const error = new WaybillError('CONFLICT', 'No.', { details: ['code 23502.', 'column "a"'] })
  expect(wholeMessage(error)).toBe('No. (code 23502; column "a")')
  expect(wholeMessage(new WaybillError('CONFLICT', 'No.', { details: ['', ' '] }))).toBe('No.')
})

describe('what a plan changes', () => {
  const columnsOf = (plan: ReturnType<typeof fixturePlan>) => planSections(plan, 100)[0]!.facts!.find(([label]) => label === 'Columns')?.[1]

  it('lists no zeros', () => {
    const plain = planOf({ tables: planOf().tables.map((each) => ({ ...each, columns: [column('a'), column('b')] })) })
    expect(columnsOf(plain)).toMatch(/^\d+$/)
    const masked = { ...column('a'), transform: { kind: 'mask_redact' as const, value: 'x' } }
    const some = planOf({ tables: planOf().tables.map((each) => ({ ...each, columns: [masked, { ...column('b'), lossy: true }] })) })
    expect(columnsOf(some)).toMatch(/^\d+, of which \d+ masked and \d+ losing information$/)
  })
})
