import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import { WaybillError } from '../core/errors.ts'
import { oneLine, safeMail } from '../core/mail-message.ts'
import type { Clock, Ids, Notifier } from '../core/ports.ts'
import { writeBeside } from './durable-file.ts'

const FROM = { name: 'Waybill', address: 'waybill@localhost.localdomain' }

/** Writes each message as an .eml file (0600) that any mail program opens: `<instant>-<id>.eml`, so that names sort by time. */
export function outboxNotifier({ folder, clock, ids }: { folder: string; clock: Clock; ids: Ids }): Notifier {
  const transport = createTransport({
    streamTransport: true,
    buffer: true,
    newline: 'windows',
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    async send(mail) {
      const now = clock.now()
      const { message } = await transport.sendMail({ ...safeMail(mail), from: FROM, date: now })
      const path = join(folder, `${now.toISOString().replaceAll(':', '')}-${ids.next('mail')}.eml`)
      renameSync(writeBeside(path, Buffer.isBuffer(message) ? message : Buffer.from(String(message)), 0o600), path)
    },
  }
}

/** Sends by SMTP. `url` such as `smtp://mail.example.org:587` may hold a password: it never appears in an error. */
export function smtpNotifier({ url, from }: { url: string; from: string }): Notifier {
  const transport = createTransport({
    url,
    connectionTimeout: 15_000,
    greetingTimeout: 15_000,
    socketTimeout: 30_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    async send(mail) {
      const message = { ...safeMail(mail), from: oneLine(from) }
      try {
        await transport.sendMail(message)
      } catch (error) {
        const code = /^E[A-Z]{2,20}$/.exec(String((error as NodeJS.ErrnoException).code))?.[0] ?? 'no code'
        throw new WaybillError('CONNECTION_FAILED', `The mail server did not take the message (${code}). It is safe to try again.`)
      }
    },
  }
}
