import { readFile } from 'node:fs/promises'
import { WaybillError } from '../../layers/core/errors.ts'

/** `--trust` values, PURPOSE=KEY: PEM files become their text, fingerprints stay. @throws BAD_INPUT */
export async function trusted(values: readonly string[]): Promise<string[]> {
  return Promise.all(
    values.map(async (value) => {
      const [, purpose, key] = /^(plan|approval|evidence|anchor)=(.+)$/.exec(value) ?? []
      if (purpose === undefined || key === undefined)
        throw new WaybillError(
          'BAD_INPUT',
          `--trust takes what a key signs and the key: plan=KEY, approval=KEY, evidence=KEY or anchor=KEY; "${value}" does not say what for.`,
        )
      if (/^(sha256:)?[0-9a-f]{64}$/.test(key)) return `${purpose}=${key.replace(/^sha256:/, '')}`
      const pem = await readOr(key, `--trust takes a PEM file or a SHA-256 fingerprint of 64 hexadecimal digits; "${key}" is neither.`)
      return `${purpose}=${pem}`
    }),
  )
}

/** `--tsa-ca` values: the PEM texts. @throws BAD_INPUT */
export async function authorities(values: readonly string[]): Promise<string[]> {
  return Promise.all(
    values.map((value) =>
      readOr(value, `--tsa-ca takes a PEM file with the authority's certificate or its issuer's; "${value}" cannot be read.`),
    ),
  )
}

async function readOr(path: string, message: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new WaybillError('BAD_INPUT', message, { cause })
  }
}
