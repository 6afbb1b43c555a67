import { expect, it } from 'vitest'
import { reportHtml } from '../../../layers/core/report/html.ts'
import { fixtureReport } from '../../support/report-fixture.ts'
import { nightOf } from './samples.ts'

const page = (nights: ReturnType<typeof nightOf>[]) => reportHtml({ ...fixtureReport(), nights })

it('a report without nights says nothing of them', () => {
  expect(page([])).not.toContain('Compared again by night')
})

it('a report shows a bar and a line for each night, and why one is not clean', () => {
  const html = page([nightOf(1), nightOf(2, 'skipped', { reason: 'Outside the window: <late>' }), nightOf(3, 'mismatch')])
  expect(html.match(/<rect /g)).toHaveLength(3)
  for (const says of ['2026-03-01', 'not compared', 'differs', '1,207', '1,406,729', '4.25']) expect(html).toContain(says)
  expect(html).toContain('Outside the window: &#60;late&#62;')
  expect(html).not.toContain('<late>')
})
