import { type SESv2Client, SendEmailCommand } from '@aws-sdk/client-sesv2'
import type { Notifier } from '../core/ports.ts'
import { asWaybillError } from './sdk-errors.ts'

/** Mail through SES. `from` is an address whose identity was verified in the account. */
export function sesNotifier({ ses, from }: { ses: SESv2Client; from: string }): Notifier {
  const utf8 = (Data: string) => ({ Data, Charset: 'UTF-8' })
  return {
    async send({ to, subject, text, html }) {
      await ses
        .send(
          new SendEmailCommand({
            FromEmailAddress: from,
            Destination: { ToAddresses: [to] },
            Content: { Simple: { Subject: utf8(subject), Body: { Text: utf8(text), Html: utf8(html) } } },
          }),
        )
        .catch((error) => {
          throw asWaybillError(error, 'Sending mail')
        })
    },
  }
}
