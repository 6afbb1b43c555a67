import { lstat, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Command } from 'commander'
import { isWaybillError, WaybillError } from '../../layers/core/errors.ts'
import { fingerprintOf, formPaths, MANIFEST, SEAL } from '../../layers/core/evidence/pack-files.ts'
import { sigstoreBundle } from '../../layers/core/evidence/sigstore-bundle.ts'
import { requestPath, responsePath, STAMPED_BUNDLE, TIMESTAMPED } from '../../layers/core/evidence/timestamp-request.ts'
import { openPackFolder } from '../../layers/local/pack-folder.ts'
import { timestampCheck } from '../../layers/timestamp/check.ts'
import { type Terminal, visible } from '../terminal.ts'
import { authorities } from '../verify/trust.ts'

type Options = { request?: string; of: string; response?: string; tsaCa?: string[]; json?: boolean }

export function timestampCommand(terminal: Terminal): Command {
  return new Command('timestamp')
    .description("have a timestamp authority (RFC 3161) confirm when a pack existed: take its request out, put the authority's answer in")
    .argument('<pack>', 'the evidence_pack folder')
    .option('--request <file>', 'write the request to send to the authority')
    .option(
      '--of <what>',
      'with --request: "manifest", the list of all files, or "signature", its seal, as Sigstore has it stamped',
      'manifest',
    )
    .option('--response <file>', 'check the authority’s answer and put it beside the sealed files')
    .option('--tsa-ca <pem...>', 'with --response: certificates that lead to an authority you trust')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nWaybill sends nothing: you do, for example\n  curl -H "Content-Type: application/timestamp-query" --data-binary @request.tsq AUTHORITY > response.tsr',
    )
    .action(async (pack: string, options: Options) => {
      if ((options.request === undefined) === (options.response === undefined))
        throw new WaybillError('BAD_INPUT', 'Give either --request FILE, to write the request, or --response FILE, to put the answer in.')
      const reader = await openPackFolder(pack)
      if (!(await reader.list()).files.includes(MANIFEST))
        throw new WaybillError(
          'BAD_INPUT',
          `${pack} is not an evidence pack: it holds no ${MANIFEST}. Give the evidence_pack folder itself.`,
        )
      if (options.request !== undefined) {
        if (!TIMESTAMPED.some(({ name }) => name === options.of))
          throw new WaybillError('BAD_INPUT', `--of is "manifest" or "signature", not "${options.of}".`)
        await writeFile(options.request, await reader.read(requestPath(options.of)))
        if (options.json) terminal.out(JSON.stringify({ request: options.request, of: options.of }))
        else terminal.out(`Written: ${options.request}. Send it to a timestamp authority, then: waybill timestamp ${pack} --response FILE`)
        return
      }
      const response = await readFile(options.response!).catch((cause: unknown) => {
        throw new WaybillError('NOT_FOUND', `${options.response} cannot be read. Give the answer of the authority, in DER.`, { cause })
      })
      const check = timestampCheck(options.tsaCa && (await authorities(options.tsaCa)))
      const refusals: string[] = []
      for (const { name, of } of TIMESTAMPED) {
        try {
          const stamp = check(response, await reader.read(of))
          await add(pack, responsePath(name), response)
          if (name === 'signature') await add(pack, STAMPED_BUNDLE, await stampedBundle(reader, response))
          if (options.json) terminal.out(JSON.stringify({ stored: responsePath(name), of, ...stamp }))
          else terminal.out(`${of} existed by ${stamp.at}, says ${visible(stamp.authority)}. Stored: ${responsePath(name)}`)
          return
        } catch (error) {
          if (!isWaybillError(error) || error.code !== 'EVIDENCE_INVALID') throw error
          refusals.push(`${of}: ${error.message}`)
        }
      }
      throw new WaybillError('EVIDENCE_INVALID', 'This answer confirms nothing in this pack.', { details: refusals })
    })
}

async function stampedBundle(reader: { read(path: string): Promise<Uint8Array> }, response: Uint8Array): Promise<Uint8Array> {
  const [envelope, , , key] = formPaths(SEAL)
  return sigstoreBundle(await reader.read(envelope), fingerprintOf(Buffer.from(await reader.read(key)).toString('utf8')), [response])
}

/** Never over another answer: an earlier one proves an earlier time. */
async function add(pack: string, path: string, bytes: Uint8Array): Promise<void> {
  const at = join(pack, path)
  await mkdir(dirname(at), { recursive: true })
  try {
    await writeFile(at, bytes, { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const there = (await lstat(at)).isFile() ? await readFile(at) : null
    if (there?.equals(bytes) !== true)
      throw new WaybillError('ALREADY_EXISTS', `${path} is in the pack already. The earlier answer proves the earlier time and is kept.`)
  }
}
