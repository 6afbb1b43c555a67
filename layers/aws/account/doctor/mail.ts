import { GetAccountCommand, GetEmailIdentityCommand, SESv2Client } from '@aws-sdk/client-sesv2'
import { type DoctorLine, fail, ok, warn } from '../../../core/doctor.ts'
import { sdkErrorName } from '../../sdk-errors.ts'
import type { Patient } from './place.ts'

/** Mails can leave, from the address of the configuration, by the identity it names or one of the address itself, to anybody. */
export async function mailLines({ session, outputs: { MailFrom: from, MailIdentity: identity } }: Patient): Promise<DoctorLine[]> {
  const ses = new SESv2Client(session.config)
  const verified = async (name: string): Promise<boolean | null> => {
    try {
      return (await ses.send(new GetEmailIdentityCommand({ EmailIdentity: name }))).VerifiedForSendingStatus === true
    } catch (error) {
      if (sdkErrorName(error) === 'NotFoundException') return null
      throw error
    }
  }
  const [named, own, account] = await Promise.all([
    verified(identity),
    identity === from ? null : verified(from),
    ses.send(new GetAccountCommand({})),
  ])
  const lines: DoctorLine[] = []
  if (named === true || own === true) lines.push(ok('sender', `SES may send from ${from}.`))
  else if (named === false || own === false)
    lines.push(
      fail(
        'sender',
        `${named === false ? identity : from} is known to SES in ${session.region}, but not verified.`,
        'Open the mail SES sent there, or set the DNS records it names.',
      ),
    )
  else
    lines.push(
      fail(
        'sender',
        `SES in ${session.region} does not know ${identity}: no approver would get a mail from ${from}.`,
        `Verify it: aws sesv2 create-email-identity --email-identity ${identity}`,
      ),
    )
  if (account.SendingEnabled === false || (account.EnforcementStatus ?? 'HEALTHY') === 'SHUTDOWN')
    lines.push(fail('sandbox', 'SES has paused sending for this account.', 'See "Reputation metrics" in the SES console.'))
  else if (account.ProductionAccessEnabled !== true)
    lines.push(
      warn(
        'sandbox',
        'SES is in its sandbox: mail reaches verified addresses only.',
        'Verify every approver, or ask for production access in the SES console.',
      ),
    )
  else lines.push(ok('sandbox', 'SES is out of its sandbox.'))
  return lines
}
