import { readFile } from 'node:fs/promises'
import { canonicalJson, parseStrictJson } from '../../layers/core/canonical-json.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { specFromInputDocument } from '../../layers/core/input-document.ts'
import { email, role } from '../../layers/core/schemas/common.ts'
import { readSpec } from '../../layers/core/spec-reader.ts'

export type RequestOptions = { author?: string; approver: string[] }

/** `tech_lead=jane@example.com` */
function approverOf(text: string): { role: ReturnType<typeof role.parse>; email: string } {
  const [name = '', address = ''] = text.split('=', 2)
  const asked = { role: role.safeParse(name), email: email.safeParse(address) }
  if (!asked.role.success || !asked.email.success) {
    throw new WaybillError(
      'BAD_INPUT',
      `--approver takes role=address, such as tech_lead=jane@example.com; "${text}" is not. Roles: ${role.options.join(', ')}.`,
    )
  }
  return { role: asked.role.data, email: asked.email.data }
}

function isInputDocument(text: string): boolean {
  if (!text.trimStart().startsWith('{')) return false
  const document = parseStrictJson(text)
  return typeof document === 'object' && document !== null && 'validation_config' in document && 'rollback_config' in document
}

/**
 * The text of a migration spec: the file itself, or what an input document asks for. An input document names nobody, so author and
 * approvers come from the command line; `notes` say which of its fields Waybill reads but does not act on.
 * @throws BAD_INPUT, SPEC_INVALID before anything is made
 */
export async function readRequest(file: string, options: RequestOptions): Promise<{ text: string; notes: string[] }> {
  if (file.trim() === '') throw new WaybillError('BAD_INPUT', 'Which spec? Name a file: waybill run migration.yaml')
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw new WaybillError('BAD_INPUT', `There is no ${file}. Write one with: waybill init ${file}`)
    if (code === 'EISDIR') throw new WaybillError('BAD_INPUT', `${file} is a folder. Name the spec itself: a YAML or JSON file.`)
    throw new WaybillError('BAD_INPUT', `Cannot read ${file} (${code}). Name a spec that this user may read.`)
  }
  if (!isInputDocument(text)) {
    readSpec(text)
    return { text, notes: [] }
  }
  if (options.author === undefined || options.approver.length === 0) {
    throw new WaybillError(
      'BAD_INPUT',
      'An input document says neither who asks nor who approves. Add --author ADDRESS and one --approver ROLE=ADDRESS for each role.',
    )
  }
  const author = email.safeParse(options.author)
  if (!author.success) throw new WaybillError('BAD_INPUT', `--author takes an e-mail address; "${options.author}" is not.`)
  const { spec, notes } = specFromInputDocument(Buffer.from(text), { author: author.data, approvers: options.approver.map(approverOf) })
  return { text: canonicalJson(spec), notes }
}
