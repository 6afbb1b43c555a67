import { z } from 'zod'
import { email, role } from './common.ts'

/** One address, or `@example.com` for everybody of exactly that domain. */
const holder = z.union([email, z.string().regex(/^@[A-Za-z0-9](?:[A-Za-z0-9-]*\.)+[A-Za-z]{2,}$/, 'an address, or @ and a domain')])

/**
 * Who may hold which role. Threat: approvers are named in the spec, and its author writes that; without this, an author with a few
 * mailboxes can be everybody. A role that is not listed may be held by whomever the spec names.
 */
export const people = z.array(z.strictObject({ role, holders: z.array(holder).min(1) }))
