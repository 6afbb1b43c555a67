import { type SESv2Client, SendEmailCommand } from '@aws-sdk/client-sesv2'
import { WaybillError } from '../core/errors.ts'
import { safeMail } from '../core/mail-message.ts'
import type { Notifier } from '../core/ports.ts'
import { asWaybillError, sdkErrorName } from './sdk-errors.ts'

/** SES says no and will say no again: nothing that a retry could change. */
const REFUSED = new Set(['MessageRejected', 'MailFromDomainNotVerifiedException', 'SendingPausedException', 'AccountSuspendedException'])

/** Mail through SES. `from` is an address whose identity was verified in the account. */
export function sesNotifier({ ses, from }: { ses: SESv2Client; from: string }): Notifier {
  const utf8 = (Data: string) => ({ Data, Charset: 'UTF-8' })
  return {
    async send(mail) {
      const { to, subject, text, html } = safeMail(mail)
      await ses
        .send(
          new SendEmailCommand({
            FromEmailAddress: from,
            Destination: { ToAddresses: [to] },
            Content: { Simple: { Subject: utf8(subject), Body: { Text: utf8(text), Html: utf8(html) } } },
          }),
        )
        .catch((error) => {
          if (!REFUSED.has(sdkErrorName(error))) throw asWaybillError(error, 'Sending mail')
          throw new WaybillError(
            'PERMISSION_DENIED',
            `SES refused to send from ${from} (${sdkErrorName(error)}). Verify that identity in SES, in this region; in the SES sandbox every recipient too. Then resume.`,
            { cause: error },
          )
        })
    },
  }
}
