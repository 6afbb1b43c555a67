import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { Command } from 'commander'
import { WaybillError } from '../../layers/core/errors.ts'
import { redactedPack } from '../../layers/core/evidence/redaction.ts'
import { verifyPack } from '../../layers/core/verifier/index.ts'
import { verifyRedactedPack } from '../../layers/core/verifier/redacted.ts'
import { openPackFolder } from '../../layers/local/pack-folder.ts'
import { timestampCheck } from '../../layers/timestamp/check.ts'
import { ensureFolder } from '../folder.ts'
import { EXIT, type Terminal } from '../terminal.ts'
import { printFaults, printRedacted } from '../verify/print.ts'
import { trusted } from '../verify/trust.ts'

export function evidenceCommand(terminal: Terminal): Command {
  const redact = new Command('redact')
    .description('write a pack for outsiders: without people, columns, values and differences, and still verifiable as far as it goes')
    .argument('<pack>', 'the evidence_pack folder')
    .requiredOption('--out <folder>', 'where to write it; must not exist or be empty')
    .option('--withhold <path...>', 'files of the pack to withhold besides, such as merkle.json, which names tables', [] as string[])
    .option(
      '--trust <purpose=key...>',
      'public keys you trust, as plan=KEY, approval=KEY, evidence=KEY, anchor=KEY; the pack is verified before anything is written',
    )
    .option('--json', 'as JSON')
    .action(async (pack: string, options: { out: string; withhold: string[]; trust?: string[]; json?: boolean }) => {
      const trust = options.trust ? { trust: await trusted(options.trust) } : {}
      if (`${resolve(options.out)}${sep}`.startsWith(`${resolve(pack)}${sep}`))
        throw new WaybillError(
          'BAD_INPUT',
          `${options.out} lies inside the pack, which would then hold files that were never sealed. Name another folder.`,
        )
      const reader = await openPackFolder(pack)
      const checks = { ...trust, timestamp: timestampCheck(undefined) }
      const whole = await verifyPack(reader, checks)
      if (!whole.verified) {
        process.exitCode = EXIT.fail
        if (options.json) terminal.out(JSON.stringify(whole, null, 2))
        else printFaults(terminal, whole.faults)
        return
      }
      const files = new Map<string, Uint8Array>()
      for (const path of (await reader.list()).files) files.set(path, await reader.read(path))
      const redacted = redactedPack(files, options.withhold)
      await ensureFolder(options.out)
      if ((await readdir(options.out)).length > 0)
        throw new WaybillError('ALREADY_EXISTS', `${options.out} is not empty. Name a new folder with --out.`)
      for (const { path, bytes } of redacted) {
        await mkdir(dirname(join(options.out, path)), { recursive: true })
        await writeFile(join(options.out, path), bytes, { flag: 'wx' })
      }
      const result = await verifyRedactedPack(await openPackFolder(options.out), checks)
      process.exitCode = result.consistent ? EXIT.pass : EXIT.fail
      if (options.json) terminal.out(JSON.stringify({ out: options.out, ...result }, null, 2))
      else printRedacted(terminal, result)
    })
  return new Command('evidence').description('work on a sealed evidence pack').addCommand(redact)
}
