import { readFile } from 'node:fs/promises'
import { WaybillError } from '../../layers/core/errors.ts'

/** `--trust` values: PEM files become their text, fingerprints stay. @throws BAD_INPUT */
export async function trusted(values: readonly string[]): Promise<string[]> {
  return Promise.all(
    values.map(async (value) => {
      if (/^(sha256:)?[0-9a-f]{64}$/.test(value)) return value.replace(/^sha256:/, '')
      return readOr(value, `--trust takes a PEM file or a SHA-256 fingerprint of 64 hexadecimal digits; "${value}" is neither.`)
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
