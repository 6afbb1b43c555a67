import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { WaybillError } from '../../layers/core/errors.ts'
import { MANIFEST } from '../../layers/core/evidence/pack-files.ts'
import { verifyPack } from '../../layers/core/verifier/index.ts'
import { openPackFolder } from '../../layers/local/pack-folder.ts'
import { EXIT, type Terminal, visible } from '../terminal.ts'

/** Anybody can seal a consistent folder with keys of their own, so this is not called verified. */
const UNPINNED = 'Whole and consistent. Who signed was not checked: pin keys with --trust.'

async function trusted(values: readonly string[]): Promise<string[]> {
  return Promise.all(
    values.map(async (value) => {
      if (/^(sha256:)?[0-9a-f]{64}$/.test(value)) return value.replace(/^sha256:/, '')
      try {
        return await readFile(value, 'utf8')
      } catch {
        throw new WaybillError(
          'BAD_INPUT',
          `--trust takes a PEM file or a SHA-256 fingerprint of 64 hexadecimal digits; "${value}" is neither.`,
        )
      }
    }),
  )
}

export function verifyCommand(terminal: Terminal): Command {
  return new Command('verify')
    .description('verify an evidence pack offline: every file, signature, approval, hash chain and figure')
    .argument('<pack>', 'the evidence_pack folder')
    .option(
      '--trust <pem-or-fingerprint...>',
      'public keys you trust, as PEM files or SHA-256 fingerprints; without it the keys inside the pack are used',
    )
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 verified, or whole and consistent where no keys were pinned · 1 not verified · 2 not an evidence pack, or it cannot be read\n\nExample:\n  waybill verify out/evidence_pack',
    )
    .action(async (pack: string, options: { trust?: string[]; json?: boolean }) => {
      const reader = await openPackFolder(pack)
      if (!(await reader.list()).files.includes(MANIFEST))
        throw new WaybillError(
          'BAD_INPUT',
          `${pack} is not an evidence pack: it holds no ${MANIFEST}. Give the evidence_pack folder itself.`,
        )
      const trust = options.trust ? await trusted(options.trust) : undefined
      const result = await verifyPack(reader, trust ? { trust } : {})
      process.exitCode = result.verified ? EXIT.pass : EXIT.fail
      if (options.json) {
        terminal.out(JSON.stringify(result, null, 2))
        return
      }
      for (const check of result.checks) {
        const mark =
          check.verdict === 'pass'
            ? terminal.paint('green', 'pass')
            : check.verdict === 'fail'
              ? terminal.paint('red', 'FAIL')
              : check.verdict
        terminal.out(`${mark}  ${visible(check.says)}`)
      }
      if (result.verified && result.trust === 'pinned') terminal.out(terminal.paint(['bold', 'green'], '\nVerified.'))
      else if (result.verified) terminal.out(terminal.paint('bold', `\n${UNPINNED}`))
      else {
        terminal.out(terminal.paint(['bold', 'red'], `\nNot verified. First fault: ${visible(result.faults[0] ?? 'unknown')}`))
        for (const fault of result.faults.slice(1)) terminal.out(`  also: ${visible(fault)}`)
      }
    })
}
