import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import { type CfnStage, HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { Construct } from 'constructs'
import type { StageConfig } from '../config.ts'
import { accept } from './accepted.ts'
import { vendedLogGroup } from './log-group.ts'

/** Where people approve. The address exists before the routes, since the functions behind them must know it. */
export class ApprovalApi extends Construct {
  readonly api: HttpApi
  readonly url: string

  constructor(scope: Construct, id: string, props: { config: StageConfig }) {
    super(scope, id)
    this.api = new HttpApi(this, 'Api', { description: `Waybill approvals (${props.config.stage})`, createDefaultStage: false })
    const stage = new HttpStage(this, 'Stage', {
      httpApi: this.api,
      autoDeploy: true,
      // A person approves; anything faster is a machine that guesses ids.
      throttle: { rateLimit: 20, burstLimit: 40 },
      accessLogSettings: {
        destination: new LogGroupLogDestination(vendedLogGroup(this, 'Logs', props.config, `apigateway/waybill-${props.config.stage}`)),
        // No path, no query, no headers: a link's token would be in them.
        format: AccessLogFormat.custom(
          JSON.stringify({
            request: '$context.requestId',
            at: '$context.requestTime',
            route: '$context.routeKey',
            status: '$context.status',
            bytes: '$context.responseLength',
            ip: '$context.identity.sourceIp',
            error: '$context.integrationErrorMessage',
          }),
        ),
      },
    })
    ;(stage.node.defaultChild as CfnStage).addPropertyOverride('DefaultRouteSettings.DetailedMetricsEnabled', true)
    this.url = this.api.apiEndpoint
  }

  /** GET, HEAD and OPTIONS show and never change; POST decides. */
  addRoutes(page: IFunction, decide: IFunction): void {
    const show = new HttpLambdaIntegration('Page', page)
    this.api.addRoutes({ path: '/{proxy+}', methods: [HttpMethod.GET, HttpMethod.HEAD, HttpMethod.OPTIONS], integration: show })
    // Only what a person posts. The outbox, which goes through every project, is the schedule's alone: it calls the function itself.
    const take = new HttpLambdaIntegration('Decide', decide)
    for (const path of ['/approvals/{id}', '/passkeys/{id}', '/plans/{id}', '/waivers/{id}'])
      this.api.addRoutes({ path, methods: [HttpMethod.POST], integration: take })
    accept(
      this.api,
      'AwsSolutions-APIG4',
      'Approvers are invited by mail and need no account: each link carries an HMAC over approver, role, subject digest, transition and expiry, and deciding takes a POST with a CSRF token, the origin and the digest typed by hand.',
    )
  }
}
