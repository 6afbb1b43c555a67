/** One thing that a table declares, without its name. Two facts of equal `form` say the same. */
export type Fact = {
  form: string
  /** What the fact is about, such as the columns of a key or its name: of two facts with one of these in common, one is the other changed. */
  about: readonly string[]
  shown: string
  /** It concerns a column that the target has no place for. */
  leftOut: boolean
}

export type FactDifference = { source: Fact | null; target: Fact | null }

/**
 * Facts that only one side declares. Facts about the same thing stand together as one that was changed. Saying something
 * twice is saying it once.
 */
export function factDifferences(source: readonly Fact[], target: readonly Fact[]): FactDifference[] {
  const distinct = (facts: readonly Fact[], others: readonly Fact[]) => {
    const known = new Set(others.map((fact) => fact.form))
    return [...new Map(facts.filter((fact) => !known.has(fact.form)).map((fact) => [fact.form, fact])).values()]
  }
  const lost = distinct(source, target)
  const added = distinct(target, source)
  const changed: FactDifference[] = []
  for (const fact of [...lost]) {
    const other = added.find((candidate) => candidate.about.some((thing) => fact.about.includes(thing)))
    if (other === undefined) continue
    changed.push({ source: fact, target: other })
    lost.splice(lost.indexOf(fact), 1)
    added.splice(added.indexOf(other), 1)
  }
  return [...changed, ...lost.map((fact) => ({ source: fact, target: null })), ...added.map((fact) => ({ source: null, target: fact }))]
}
