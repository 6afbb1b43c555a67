/** Reads figures out of a document of unknown shape; what is absent, null or of another type is simply not there. */
export type LooseDocument = {
  number(pointer: string): number | undefined
  /** A count in either form: a safe integer or decimal text. */
  count(pointer: string): bigint | undefined
  text(pointer: string): string | undefined
  flag(pointer: string): boolean | undefined
  list(pointer: string): readonly unknown[]
  at(pointer: string): unknown
}

export function looseDocument(document: unknown): LooseDocument {
  const at = (pointer: string): unknown => {
    let value = document
    for (const key of pointer.split('/')) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
      value = (value as Readonly<Record<string, unknown>>)[key]
    }
    return value
  }
  return {
    at,
    number: (pointer) => {
      const value = at(pointer)
      return typeof value === 'number' && Number.isFinite(value) ? value : undefined
    },
    count: (pointer) => {
      const value = at(pointer)
      if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
      return typeof value === 'string' && /^-?[0-9]{1,39}$/.test(value) ? BigInt(value) : undefined
    },
    text: (pointer) => {
      const value = at(pointer)
      return typeof value === 'string' ? value : undefined
    },
    flag: (pointer) => {
      const value = at(pointer)
      return typeof value === 'boolean' ? value : undefined
    },
    list: (pointer) => {
      const value = at(pointer)
      return Array.isArray(value) ? value : []
    },
  }
}

/** Every value below `document` with its pointer, without the leading slash. */
export function* everyValue(document: unknown, at = ''): Generator<{ pointer: string; key: string; value: unknown }> {
  if (typeof document !== 'object' || document === null) return
  for (const [key, value] of Object.entries(document)) {
    const pointer = at === '' ? key : `${at}/${key}`
    yield { pointer, key, value }
    yield* everyValue(value, pointer)
  }
}
