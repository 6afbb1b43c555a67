import { readFile, writeFile } from 'node:fs/promises'
import { setFlagsFromString } from 'node:v8'
import { Command } from 'commander'
import { canonicalBytes } from '../../layers/core/canonical-json.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import { MANIFEST } from '../../layers/core/evidence/pack-files.ts'
import { REDACTION } from '../../layers/core/evidence/redaction.ts'
import { verifyPack } from '../../layers/core/verifier/index.ts'
import { verifyRedactedPack } from '../../layers/core/verifier/redacted.ts'
import { segmentCommands } from '../../layers/core/verifier/segment-commands.ts'
import { verifySegmentProof } from '../../layers/core/verifier/segment-proof.ts'
import { openPackFolder } from '../../layers/local/pack-folder.ts'
import { timestampCheck } from '../../layers/timestamp/check.ts'
import { accountOptions, type PlaceOptions } from '../platform/options.ts'
import { EXIT, type Terminal } from '../terminal.ts'
import { printRedacted, printVerification } from '../verify/print.ts'
import { printSegment, segmentName, segmentOf } from '../verify/segment.ts'
import { authorities, trusted } from '../verify/trust.ts'

type Options = Omit<PlaceOptions, 'home'> & {
  out?: string
  trust?: string[]
  tsaCa?: string[]
  segment?: string
  extract?: string
  segmentProof?: string
  json?: boolean
}

export function verifyCommand(terminal: Terminal): Command {
  const command = new Command('verify')
    .description('verify an evidence pack offline: every file, signature, approval, hash chain and figure')
    .argument('[pack]', 'the evidence_pack folder, or a redacted one; with --aws, the project')
  return accountOptions(command)
    .option('--out <dir>', 'with --aws: keep the downloaded pack in this new folder')
    .option(
      '--trust <purpose=key...>',
      'public keys you trust, each for what it signs: plan=KEY, approval=KEY, evidence=KEY, anchor=KEY, as PEM files or SHA-256 fingerprints; without it the keys inside the pack are used, or with --aws those of the account',
    )
    .option('--tsa-ca <pem...>', "certificates that lead to a timestamp authority you trust, for the pack's timestamps")
    .option('--segment <table:number>', 'also the path from one segment up to the signed root, as commands for sha256sum')
    .option('--extract <file>', 'with --segment: write that proof to a file that can be verified without the pack')
    .option('--segment-proof <file>', 'verify such a file instead of a pack')
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 verified, or whole and consistent where no keys were pinned · 1 not verified · 2 not able to decide: not an evidence pack, not readable, or redacted (what is left is whole; what is withheld could fail)\n\nExamples:\n  waybill verify out/evidence_pack\n  waybill verify out/evidence_pack --segment flights:12 --extract proof.json\n  waybill verify --segment-proof proof.json --trust evidence=evidence.pem',
    )
    .action(async (pack: string | undefined, options: Options) => {
      // Nearly all of a pack stays in use until the end: room for short-lived objects only takes memory, 150 MiB for 100,000 segments.
      setFlagsFromString('--semi-space-growth-factor=1')
      const trust = options.trust ? { trust: await trusted(options.trust) } : {}
      if (options.segmentProof !== undefined) {
        if (pack !== undefined || options.segment !== undefined || options.tsaCa !== undefined)
          throw new WaybillError('BAD_INPUT', '--segment-proof is verified without a pack: give no folder, --segment or --tsa-ca with it.')
        return verifyProofFile(terminal, options.segmentProof, trust.trust, options.json)
      }
      if (options.aws === true) {
        if (options.segment !== undefined)
          throw new WaybillError('BAD_INPUT', '--segment takes a folder: keep the pack first, with waybill verify --aws PROJECT --out DIR.')
        // The auditor's command reads a folder and nothing else, and loads no more than that.
        const { verifyInAccount } = await import('../platform/pack.ts')
        const timestamp = timestampCheck(options.tsaCa && (await authorities(options.tsaCa)))
        return verifyInAccount(terminal, pack, options, { ...trust, timestamp })
      }
      if (options.out !== undefined)
        throw new WaybillError('BAD_INPUT', '--out keeps a pack that --aws downloads; a folder here is verified where it lies.')
      if (pack === undefined) throw new WaybillError('BAD_INPUT', 'Give the evidence_pack folder to verify, or --segment-proof FILE.')
      if (options.extract !== undefined && options.segment === undefined)
        throw new WaybillError('BAD_INPUT', '--extract writes the proof of one segment: name it with --segment TABLE:NUMBER.')
      const segment = options.segment === undefined ? null : segmentName(options.segment)
      const timestamp = timestampCheck(options.tsaCa && (await authorities(options.tsaCa)))
      const reader = await openPackFolder(pack)
      const { files } = await reader.list()
      if (files.includes(REDACTION)) {
        if (segment !== null)
          throw new WaybillError(
            'BAD_INPUT',
            `${pack} is redacted: its segments are withheld. Ask for the proof as a file (--segment-proof).`,
          )
        const result = await verifyRedactedPack(reader, { ...trust, timestamp })
        // What is withheld may be what fails, and anybody can withhold it: never a success.
        process.exitCode = result.consistent ? EXIT.undecided : EXIT.fail
        if (options.json) terminal.out(JSON.stringify(result, null, 2))
        else printRedacted(terminal, result)
        return
      }
      if (!files.includes(MANIFEST))
        throw new WaybillError(
          'BAD_INPUT',
          `${pack} is not an evidence pack: it holds no ${MANIFEST}. Give the evidence_pack folder itself.`,
        )
      const result = await verifyPack(reader, { ...trust, timestamp })
      process.exitCode = result.verified ? EXIT.pass : EXIT.fail
      // A path through a pack that does not hold would lend it a look of proof.
      const proof = segment === null || !result.verified ? null : await segmentOf(reader, segment)
      const bytes = proof === null ? null : canonicalBytes(proof)
      const segmentResult = bytes === null ? null : verifySegmentProof(bytes, trust.trust)
      if (segmentResult?.verified === false) process.exitCode = EXIT.fail
      if (bytes !== null && options.extract !== undefined) await writeFile(options.extract, bytes)
      if (options.json) {
        const shown = segmentResult && { ...segmentResult, commands: proof && segmentCommands(proof) }
        terminal.out(JSON.stringify({ ...result, ...(shown ? { segment: shown } : {}) }, null, 2))
        return
      }
      printVerification(terminal, result)
      if (segmentResult !== null) printSegment(terminal, segmentResult)
    })
}

async function verifyProofFile(terminal: Terminal, path: string, trust: string[] | undefined, json: boolean | undefined): Promise<void> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new WaybillError('NOT_FOUND', `${path} cannot be read. Give the file that --extract wrote.`, { cause })
  })
  const result = verifySegmentProof(bytes, trust)
  process.exitCode = result.verified ? EXIT.pass : EXIT.fail
  if (json) terminal.out(JSON.stringify(result, null, 2))
  else printSegment(terminal, result)
}
