import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nightMail } from '../../../layers/core/flow/night-mail.ts'
import { safeMail } from '../../../layers/core/mail-message.ts'
import type { NightTable } from '../../../layers/core/schemas/night.ts'
import { nightOf } from './samples.ts'

const project = { project_id: 'flights', title: 'Flights to the new warehouse' }
const table = (more: Partial<NightTable> = {}): NightTable => ({
  table_id: 'flights',
  target_object: 'public.flight',
  verdict: 'fail',
  source_rows: '2989301',
  target_rows: '2989294',
  missing: '7',
  extra: '0',
  changed: '1200',
  clean: { source_rows: '2989000', target_rows: '2989000' },
  ...more,
})
const mailOf = (...given: Parameters<typeof nightOf>) => nightMail(project, nightOf(...given), 'qa.lead@example.com')

describe('the mail about a night', () => {
  it('says in subject and first line what was found, and what it means for the count', () => {
    const found = (['mismatch', 'undecided', 'skipped'] as const).map((result) => mailOf(9, result))
    expect(found.map(({ subject }) => subject)).toEqual([
      'Source and target differ: Flights to the new warehouse (night of 2026-03-09)',
      'Not known whether source and target are equal: Flights to the new warehouse (night of 2026-03-09)',
      'Source and target were not compared: Flights to the new warehouse (night of 2026-03-09)',
    ])
    expect(found[0]?.text).toMatch(/Clean nights are counted anew/)
    for (const mail of found.slice(1)) expect(mail.text).toMatch(/does not count, and takes nothing away/)
  })

  it('names each table with its counts now and in the last clean night, in text and HTML alike', () => {
    const more = {
      tables: [table(), table({ target_object: 'public.airport', verdict: 'pass', missing: '0', changed: '0' })],
      last_clean: { night: '2026-03-08', run_id: 'r8' },
    }
    const mail = mailOf(9, 'mismatch', more)
    for (const part of [mail.text, mail.html]) {
      expect(part).toContain('public.flight')
      expect(part).toContain('7 missing in the target, 0 only there, 1,200 changed')
      expect(part).toContain('2,989,301 rows in the source, 2,989,294 in the target')
      expect(part).toContain('in the last clean night: 2,989,000 and 2,989,000')
      expect(part).toContain('equal, with other counts than before')
      expect(part).toContain('2026-03-08 (run r8)')
    }
  })

  it('lists twenty tables and says how many more there are', () => {
    const tables = Array.from({ length: 25 }, (_, n) => table({ target_object: `public.t${n}` }))
    const mail = mailOf(9, 'mismatch', { tables, tables_not_listed: 75 })
    expect(mail.text).toContain('public.t19')
    expect(mail.text).not.toContain('public.t20')
    expect(mail.text).toContain('And 80 more tables')
  })

  it('is one that every notifier takes, whatever tables and titles are called: no markup, no link, no second header', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.constantFrom('<img src=x onerror=alert(1)>', 'a\r\nBcc: eve@example.com', '\u202emoc', '"><a href=https://e.example>'),
    )
    fc.assert(
      fc.property(hostile, hostile, (title, target_object) => {
        const mail = nightMail(
          { project_id: 'flights', title },
          nightOf(9, 'mismatch', { tables: [table({ target_object })] }),
          'a@example.com',
        )
        expect(safeMail(mail)).toBeTruthy()
        expect(mail.subject).not.toMatch(/[\r\n]/)
        expect(mail.subject.length).toBeLessThanOrEqual(180)
        expect(mail.html).not.toMatch(/<(?!\/?(html|head|meta|title|body|div|p|span|br|b|h1|h2)\b|!doctype)/i)
        expect(mail.html).not.toMatch(/<a\b|<img/i)
        expect(mail.html + mail.text).not.toMatch(/(?<!\[):\/\//)
        expect(mail.text).not.toMatch(/[\u202a-\u202e\u2066-\u2069\r]/)
      }),
      { numRuns: 200 },
    )
  })
})
