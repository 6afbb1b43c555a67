import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import {
  AccountRecovery,
  FeaturePlan,
  Mfa,
  OAuthScope,
  StandardThreatProtectionMode,
  UserPool,
  UserPoolClient,
} from 'aws-cdk-lib/aws-cognito'
import { Construct } from 'constructs'
import { publish } from './outputs.ts'

/** Where an approver signs in: an OpenID issuer, and the client that the approval pages are to it. */
export type SignInProvider = { issuer: string; clientId: string }

/**
 * A directory of approvers, for an organisation without an identity provider of its own. People are put into it by an administrator and never register
 * themselves; they sign in with their address, a password and a code of their phone.
 */
export class ApproverDirectory extends Construct {
  readonly pool: UserPool

  constructor(scope: Construct, id: string, props: { domainPrefix: string; keepState: boolean }) {
    super(scope, id)
    this.pool = new UserPool(this, 'Pool', {
      selfSignUpEnabled: false,
      signInAliases: { email: true },
      signInCaseSensitive: false,
      mfa: Mfa.REQUIRED,
      // No text messages: numbers are taken over.
      mfaSecondFactor: { otp: true, sms: false },
      passwordPolicy: {
        minLength: 14,
        requireDigits: true,
        requireLowercase: true,
        requireUppercase: true,
        requireSymbols: true,
        tempPasswordValidity: Duration.days(3),
      },
      accountRecovery: AccountRecovery.EMAIL_ONLY,
      featurePlan: FeaturePlan.PLUS,
      standardThreatProtectionMode: StandardThreatProtectionMode.FULL_FUNCTION,
      deletionProtection: props.keepState,
      removalPolicy: props.keepState ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    this.pool.addDomain('Domain', { cognitoDomain: { domainPrefix: props.domainPrefix } })
    publish(Stack.of(this), { ApproverDirectoryId: this.pool.userPoolId })
  }
}

/** The approval pages as a client of the directory: authorization code with PKCE, no secret, and back to one address only. */
export function directoryClient(scope: Construct, directory: ApproverDirectory, approvalsUrl: string): SignInProvider {
  const client = new UserPoolClient(scope, 'ApproverClient', {
    userPool: directory.pool,
    generateSecret: false,
    oAuth: {
      flows: { authorizationCodeGrant: true },
      scopes: [OAuthScope.OPENID, OAuthScope.EMAIL],
      callbackUrls: [`${approvalsUrl}/sign-in/callback`],
    },
    authFlows: {},
    preventUserExistenceErrors: true,
    enableTokenRevocation: true,
    idTokenValidity: Duration.minutes(15),
    accessTokenValidity: Duration.minutes(15),
  })
  return {
    issuer: `https://cognito-idp.${Stack.of(scope).region}.amazonaws.com/${directory.pool.userPoolId}`,
    clientId: client.userPoolClientId,
  }
}
