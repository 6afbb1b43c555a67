import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Notifier } from '../../layers/core/ports.ts'
import { refusal } from './samples.ts'

export type SentMail = { headers: string; body: string }

const mail = { to: 'grace@example.org', subject: 'Please decide', text: 'Plain words', html: '<p>Words</p>' }

/** @param make `sent` reads what arrived: headers unfolded, one a line; body decoded */
export function notifierContract(
  name: string,
  make: () => Promise<{ notifier: Notifier; sent: () => Promise<SentMail[]>; done(): Promise<void> }>,
): void {
  describe(`notifier: ${name}`, () => {
    let it_: Awaited<ReturnType<typeof make>>
    beforeEach(async () => {
      it_ = await make()
    })
    afterEach(() => it_.done())

    it('delivers text and HTML to the one address', async () => {
      await it_.notifier.send(mail)
      const [sent] = await it_.sent()
      expect(sent?.headers).toMatch(/^To: grace@example\.org$/m)
      expect(sent?.headers).toMatch(/^Subject: Please decide$/m)
      expect(sent?.body).toContain('Plain words')
      expect(sent?.body).toContain('<p>Words</p>')
    })

    it('carries words of any script, in the subject and in both forms of the body', async () => {
      await it_.notifier.send({ ...mail, subject: 'Plan „Überfahrt“ — наследие 出発', text: 'Zeichen: ü', html: '<p>Zeichen: ö</p>' })
      const [sent] = await it_.sent()
      expect(sent?.headers).toMatch(/^Subject: Plan „Überfahrt“ — наследие 出発$/m)
      expect(sent?.body).toContain('Zeichen: ü')
      expect(sent?.body).toContain('<p>Zeichen: ö</p>')
    })

    it('lets no subject add a header', async () => {
      for (const end of ['\r\n', '\n', '\r', '\u2028', '\u0000\n'])
        await it_.notifier.send({ ...mail, subject: `Plan${end}Bcc: mallory@example.org${end}${end}<b>body</b>` })
      const all = await it_.sent()
      expect(all).toHaveLength(5)
      for (const sent of all) {
        expect(sent.headers).not.toMatch(/^Bcc:/im)
        for (const character of ['\u2028', '\u0000']) expect(sent.headers).not.toContain(character)
        expect(sent.headers.match(/^Subject:/gim)).toHaveLength(1)
        expect(sent.body).not.toContain('<b>body</b>')
      }
    })

    it('takes one address and nothing else as a recipient', async () => {
      const hostile = [
        '',
        'grace',
        'a@example.org, b@example.org',
        'a@example.org\r\nBcc: b@example.org',
        'Grace <a@example.org>',
        '<a@example.org>',
      ]
      for (const to of hostile) expect(await refusal(it_.notifier.send({ ...mail, to }))).toBe('BAD_INPUT')
      expect(await it_.sent()).toEqual([])
    })
  })
}
