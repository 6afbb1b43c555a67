import { z } from 'zod'

/** 64 lower-case hexadecimal digits: a SHA-256. Anything shorter or longer is refused. */
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 is 64 lower-case hexadecimal digits')

/** An exact non-negative count, as decimal text: JSON numbers are doubles. */
export const count = z.string().regex(/^(0|[1-9][0-9]{0,38})$/, 'a count is a non-negative decimal integer in text')

/** An exact decimal number, as text. */
export const decimal = z.string().regex(/^-?(0|[1-9][0-9]*)(\.[0-9]+)?$/, 'a decimal number in text, without exponent')

/** RFC 3339 in UTC with milliseconds. */
export const instant = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/, 'an instant such as 2026-01-31T12:00:00.000Z')

export const email = z.email().max(254)

/** A name inside a database. Hostile until quoted: it may hold quotes, markup or instructions, but never NUL. */
export const identifier = z
  .string()
  .min(1)
  .max(128)
  .refine((text) => !text.includes('\u0000'), 'a name cannot hold NUL')

/** A short name chosen by a person or by Waybill; safe in paths, keys and URLs. */
export const slug = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,79}$/, 'lower-case letters, digits, - and _, at most 80 characters')

/** Where an artifact lies and exactly what it is. Large data never passes through state: this does. */
export const artifactPointer = z.strictObject({
  uri: z.string().min(1).max(1024),
  version_id: z.string().min(1).max(1024),
  sha256: sha256Hex,
})
export type ArtifactPointer = z.infer<typeof artifactPointer>

export const qualifiedName = z.strictObject({ schema: identifier, name: identifier })
export type QualifiedName = z.infer<typeof qualifiedName>

export const verdict = z.enum(['pass', 'fail', 'inconclusive', 'not-applicable'])
export type Verdict = z.infer<typeof verdict>

export const findingSeverity = z.enum(['CRITICAL', 'ERROR', 'WARNING', 'INFO'])
export type FindingSeverity = z.infer<typeof findingSeverity>

export const role = z.enum([
  'tech_lead',
  'data_owner',
  'security',
  'qa_lead',
  'business_owner',
  'release_manager',
  'migration_lead',
  'dba',
  'engineering_manager',
  'operations_manager',
])
export type Role = z.infer<typeof role>
