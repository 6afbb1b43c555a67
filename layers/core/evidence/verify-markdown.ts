import type { PackFile } from './pack-files.ts'

/** The guide for an auditor who has no Waybill. Every command line in it is run by a test. */
export function verifyMarkdown(projectId: string, files: readonly PackFile[]): string {
  const stems = files.map(({ path }) => path).filter((path) => path.endsWith('.dsse.json') && !path.startsWith('code/'))
  const commands = [...stems, 'manifest.dsse.json'].toSorted().map((path) => opensslLine(path.slice(0, -'.dsse.json'.length)))
  return `# How to verify this evidence pack

Project \`${projectId}\`. Nothing here needs the network, and nothing needs Waybill; run the commands in this folder.

## 1. Every file is the one that was sealed

\`\`\`sh
sha256sum --check --strict --quiet SHA256SUMS
\`\`\`

No output means that every listed file is unchanged. The signed list is \`sha256_manifest.json\`; the seal names its digest, and this
prints it when they agree:

\`\`\`sh
grep --only-matching --text "$(sha256sum sha256_manifest.json | cut -d ' ' -f 1)" manifest.pae.bin
\`\`\`

A file that is neither in the manifest nor one of \`sha256_manifest.json\` and \`manifest.*\` does not belong here.

## 2. Every signature holds

Each statement lies here twice: as a DSSE envelope (\`*.dsse.json\`), and as the bytes that were signed (\`*.pae.bin\`), the signature
(\`*.sig.der\`) and the public key (\`*.pub.pem\`). Each line prints \`Verified OK\`:

\`\`\`sh
${commands.join('\n')}
\`\`\`

That shows that the files belong together. Who signed is shown by comparing the fingerprints in \`keys/keys.json\` with ones you got
another way. A key \`held_by\` \`local\` lay on the machine that ran the migration.

## 3. What the statements say

The statement is the JSON inside \`*.pae.bin\`. A plan's names the digest of \`plan/migration_plan.json\`; an approval's names the digest of
exactly what that person reviewed; the proof certificate's names the digest of \`outcome.json\` and the Merkle roots of every table
(RFC 6962; how a segment in \`recon/\` becomes a leaf stands in \`plan/hashing_spec.json\`); an anchor's names an entry of \`audit/entries.jsonl\`.

## 4. Everything at once

\`\`\`text
waybill verify .            against the keys in this pack
waybill verify . --trust KEY.pem …    against keys you trust
\`\`\`

It recomputes every digest, signature, approval, hash chain, Merkle root, verdict and figure from the bytes in this folder.
`
}

function opensslLine(stem: string): string {
  return `openssl dgst -sha256 -verify ${stem}.pub.pem -signature ${stem}.sig.der ${stem}.pae.bin`
}
