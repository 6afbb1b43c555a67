import { Stack } from 'aws-cdk-lib'
import { EmailIdentity, Identity } from 'aws-cdk-lib/aws-ses'
import { Construct } from 'constructs'
import { publish } from './outputs.ts'

/** The SES identity that approval mails come from. An address is verified by the link SES mails to it, a domain by three records in its DNS. */
export class MailIdentity extends Construct {
  constructor(scope: Construct, id: string, props: { name: string }) {
    super(scope, id)
    const isAddress = props.name.includes('@')
    const identity = new EmailIdentity(this, 'Identity', { identity: isAddress ? Identity.email(props.name) : Identity.domain(props.name) })
    if (isAddress) return
    for (const [at, { name, value }] of identity.dkimRecords.entries())
      publish(Stack.of(this), { [`MailRecord${at + 1}`]: `${name} CNAME ${value}` })
  }
}
