import {
  block,
  CHAIN_HOLDS,
  isSubject,
  KEYS_ARE_NAMED,
  keysAreYours,
  LISTED,
  LOG_IS_ANCHORED,
  MANIFEST_IS_SEALED,
  SEAL_HOLDS,
  SIGNATURES_HOLD,
} from './guide-blocks.ts'
import { MANIFEST, OUTSIDE_MANIFEST, type PackFile, SEAL } from './pack-files.ts'
import { responsePath, TIMESTAMP_RESPONSES, TIMESTAMPED } from './timestamp-request.ts'

/**
 * The guide for an auditor who has no Waybill. Every `sh` block in it is run by a test, on a good pack and on forged ones: each starts
 * from the sealed manifest, for a list that nobody signed can be rewritten together with what it lists, and each ends with another
 * status than 0 when something is wrong, in any POSIX shell, with or without `set -e`.
 */
export function verifyMarkdown(projectId: string, files: readonly PackFile[]): string {
  const subjects = SUBJECTS.filter(([, file]) => files.some(({ path }) => path === file))
  return `# How to verify this evidence pack

Project \`${projectId}\`. Nothing here needs the network, and nothing needs Waybill: a POSIX shell, \`openssl\` and \`sha256sum\` are enough
(on a Mac without \`sha256sum\`, first \`alias sha256sum='shasum -a 256'\`). Run the blocks in this folder, in this order. Each prints what it
found; one that finds a fault says \`FAILED\` or \`failure\` and ends with a status other than 0.

This guide lies in the pack it is about. If you do not trust whoever gave you the pack, take these commands from a pack or a Waybill that
you do trust.

## 1. The list of files is the one that was sealed

The seal is a signature over \`${SEAL}.pae.bin\`, and that names the digest of \`${MANIFEST}\`:

${block(SEAL_HOLDS)}

${block(MANIFEST_IS_SEALED)}

## 2. Every file is the one that was listed, and there is no other

The digests come out of the sealed list itself. (\`SHA256SUMS\` repeats them for convenience; nobody signed it, so nothing here uses it.)

${block(`${LISTED} | sed 's/^\\([^ ]*\\) /\\1  /' | sha256sum --check --strict -`)}

Besides what is listed, only the list, its seal, the two requests for a timestamp, and perhaps their answers lie here:

${block(`{
  ${LISTED} | sed 's/^[^ ]* /.\\//'
  printf './%s\\n' ${OUTSIDE_MANIFEST.join(' ')}
  for answer in ${TIMESTAMP_RESPONSES.join(' ')}; do if [ -f "$answer" ]; then echo "./$answer"; fi; done
  find . ! -type d
} | LC_ALL=C sort | uniq -c | awk '
  $1 != 2 { print "FAILED: " $2 " is not both in the list and in the folder, or is there twice"; failed = 1 }
  END { if (!failed) print "every file is listed, and every listed file is here"; exit failed }'`)}

${block(`LC_ALL=C find . -name '*[!A-Za-z0-9._-]*' -o ! -type f ! -type d -o -type d -empty | awk '
  { print "FAILED: " $0 " is a link, a device, an empty folder or a name that no pack has"; failed = 1 }
  END { if (!failed) print "files and folders only"; exit failed }'`)}

## 3. Every signature holds, under a key of this pack for its purpose

Each statement lies here more than once: as a DSSE envelope (\`*.dsse.json\`), and as the bytes that were signed (\`*.pae.bin\`), the signature
(\`*.sig.der\`) and the public key (\`*.pub.pem\`). These are the latter; that the envelopes, and the same once more as Sigstore bundles
(\`*.sigstore.json\`), say nothing else, \`waybill verify\` compares.

${block(SIGNATURES_HOLD)}

## 4. Who signed

Everything above shows that the files belong together; anybody can make such a folder with keys of their own. Who signed is shown only by
comparing these fingerprints with ones that you got another way, from the people who ran the migration:

${block(KEYS_ARE_NAMED)}

With yours in a file outside this folder, one to a line as above (\`plan\`, \`approval\`, \`evidence\` or \`anchor\`, a space, the fingerprint):

\`\`\`text
${keysAreYours('/path/to/your/keys')}
\`\`\`

A key \`held_by\` \`local\` lay on the machine that ran the migration: whoever ran it could sign anything with it.

## 5. What the statements are about

The statement is the JSON inside \`*.pae.bin\`. A plan's names the digest of \`plan/migration_plan.json\`; an approval's names the digest of
exactly what that person reviewed; the proof certificate's names the digest of \`outcome.json\` and the Merkle roots of every table
(RFC 6962; how a segment in \`recon/\` becomes a leaf stands in \`plan/hashing_spec.json\`); an anchor's names an entry of \`audit/entries.jsonl\`.

${subjects
  .map(([statement, file]) =>
    block(
      isSubject({
        file,
        statement,
        before: '',
        good: `${file}: is the one that was signed`,
        bad: `${file} is not the one that was signed`,
      }),
    ),
  )
  .join('\n\n')}

## 6. The audit log is whole, and anchored to its end

Every entry holds the digest of the one before it, and an anchor is a signature over the newest entry of its time, by a key that neither proves nor seals. A log
may not go on behind its newest anchor: nobody signed what stands there.

${block(CHAIN_HOLDS)}

${block(LOG_IS_ANCHORED)}

What this cannot show is a log that was cut together with its newest anchors. Compare the newest anchor, the last of \`audit/anchors/\`, with one that you kept
elsewhere.

## 7. When it was sealed

The seal says when, and whoever sealed it could have said anything. A timestamp authority can say that the list, or the seal's signature,
existed by a certain time: send it \`timestamp/*.tsq\`, and put its answers beside them with \`waybill timestamp\`. With the authority's
certificate, from a source of your own:

\`\`\`text
${TIMESTAMPED.map(({ name, of }) => `openssl ts -verify -in ${responsePath(name)} -data ${of} -CAfile /path/to/authority.pem`).join('\n')}
\`\`\`

## 8. Everything at once

\`\`\`text
waybill verify .                          whole and consistent, under the keys in this pack
waybill verify . --trust plan=KEY approval=KEY evidence=KEY anchor=KEY    the same, and signed with keys you trust, each for its purpose
waybill verify . --segment TABLE:NUMBER          also: the path from one segment to the signed root, for sha256sum
\`\`\`

It recomputes every digest, signature, approval, hash chain, Merkle root, verdict and figure from the bytes in this folder.
`
}

const SUBJECTS: readonly (readonly [statement: string, file: string])[] = [
  ['plan/signed_plan.pae.bin', 'plan/migration_plan.json'],
  ['proof_certificate.pae.bin', 'outcome.json'],
]
