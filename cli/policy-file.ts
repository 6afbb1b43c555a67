import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { canonicalJson } from '../layers/core/canonical-json.ts'
import { WaybillError } from '../layers/core/errors.ts'
import { readPolicy } from '../layers/core/policy-reader.ts'
import type { Policy } from '../layers/core/schemas/policy.ts'
import { ensureFolder } from './folder.ts'

/** The policy in a file, JSON or YAML. @throws BAD_INPUT with every fault, each with line and column */
export async function readPolicyFile(file: string): Promise<Policy> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(file)
  } catch {
    throw new WaybillError('NOT_FOUND', `Cannot read ${file}. Start from the one Waybill ships: waybill policy default > ${file}`)
  }
  return readPolicy(bytes, file)
}

/** Puts a policy in force in a home. A policy that cannot be read replaces nothing, and a crash leaves the old one or the new one. */
export async function usePolicy(home: string, file: string): Promise<Policy> {
  const policy = await readPolicyFile(file)
  await ensureFolder(home, 0o700)
  const path = join(home, 'policy.json')
  await writeFile(`${path}.new`, `${canonicalJson(policy)}\n`, { mode: 0o600 })
  await rename(`${path}.new`, path)
  return policy
}
