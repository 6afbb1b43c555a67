/** A differences file holds at most 200,000 lines a table; the counts stay exact, and the report says where it was cut. */
export const MAX_DIFFERENCES = 200_000

/** Beside each result: the plan, the run and the systems it is about. */
export const ENDS = 'ends.json'
