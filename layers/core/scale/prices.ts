/**
 * List prices in dollars, us-east-1, without discounts or free tiers, as the AWS price pages stated them in 2025. They were entered by hand and change
 * without notice: whoever decides by them looks them up again.
 */
export type Price = { usd: number; per: number; unit: string; basis: string }

export const PRICES_OF = { region: 'us-east-1', year: '2025' } as const

export const PRICES = {
  transitions: { usd: 0.025, per: 1000, unit: 'state transitions', basis: 'AWS Step Functions, Standard' },
  lambda_requests: { usd: 0.2, per: 1_000_000, unit: 'requests', basis: 'AWS Lambda' },
  lambda_gigabyte_seconds: { usd: 0.0000133334, per: 1, unit: 'GB-seconds', basis: 'AWS Lambda, ARM' },
  s3_writes: { usd: 0.005, per: 1000, unit: 'PUT and LIST requests', basis: 'Amazon S3 Standard' },
  s3_reads: { usd: 0.0004, per: 1000, unit: 'GET and HEAD requests', basis: 'Amazon S3 Standard' },
  dynamodb_read_units: { usd: 0.125, per: 1_000_000, unit: 'read units', basis: 'Amazon DynamoDB on demand' },
  dynamodb_write_units: { usd: 0.625, per: 1_000_000, unit: 'write units', basis: 'Amazon DynamoDB on demand' },
  kms_signatures: { usd: 0.15, per: 10_000, unit: 'signatures', basis: 'AWS KMS, ECC' },
  kms_requests: { usd: 0.03, per: 10_000, unit: 'other requests', basis: 'AWS KMS' },
  secrets_requests: { usd: 0.05, per: 10_000, unit: 'secrets read', basis: 'AWS Secrets Manager' },
  mails: { usd: 0.1, per: 1000, unit: 'mails', basis: 'Amazon SES' },
  http_requests: { usd: 1, per: 1_000_000, unit: 'HTTP requests', basis: 'Amazon API Gateway, HTTP API' },
  fargate_vcpu_hours: { usd: 0.03238, per: 1, unit: 'vCPU-hours', basis: 'AWS Fargate, Linux, ARM' },
  fargate_gigabyte_hours: { usd: 0.00356, per: 1, unit: 'GB-hours', basis: 'AWS Fargate, Linux, ARM' },
} as const satisfies Record<string, Price>

export type Billed = keyof typeof PRICES
export type CostLine = { what: Billed; amount: number; unit: string; usd: number; basis: string }

/** One line for each thing that is billed, in the order of the table; dollars to a hundredth of a cent. */
export function priced(amounts: Readonly<Record<Billed, number>>): { lines: CostLine[]; usd: number } {
  const lines = Object.entries(PRICES).map(([name, { usd, per, unit, basis }]): CostLine => {
    const amount = amounts[name as Billed]
    return { what: name as Billed, amount: rounded(amount, 2), unit, usd: rounded((amount / per) * usd, 4), basis }
  })
  return {
    lines,
    usd: rounded(
      lines.reduce((sum, line) => sum + line.usd, 0),
      2,
    ),
  }
}

export function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals))
}
