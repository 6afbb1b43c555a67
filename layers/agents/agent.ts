import type { z } from 'zod'
import type { AgentName } from '../core/schemas/proposal.ts'

/** `fact` names a top-level property of the facts; `pointer` is an RFC 6901 pointer inside it ('' is all of it). */
export type Citation = { fact: string; pointer: string; says: string }

/** What an agent's rules conclude from facts. */
export type Conclusion<P> = {
  proposal: P
  methodology: string
  citations: Citation[]
  /** 0…1: how much of what the proposal rests on was measured rather than assumed. */
  confidence: number
  limitations: string[]
}

/** A proposer: facts in, proposal out. Pure and deterministic; it holds no connection, key or secret, and decides nothing. */
export type Agent<F extends object, S extends z.ZodType> = {
  name: AgentName
  schema: S
  /** What a model is asked, should there be one. Never contains a fact. */
  question: string
  propose(facts: F): Conclusion<z.infer<S>>
}

/** Citations are capped, so that a catalog of thousands of tables stays within the reasoning's schema. */
export const MAX_CITATIONS = 5000
