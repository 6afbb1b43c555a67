import { block, KEYS_ARE_NAMED, LISTED, MANIFEST_IS_SEALED, SEAL_HOLDS, SIGNATURES_HOLD, SUMMARY_IS_ANCHORED } from './guide-blocks.ts'
import { MANIFEST, OUTSIDE_MANIFEST } from './pack-files.ts'
import { TIMESTAMP_RESPONSES } from './timestamp-request.ts'

const inPack = (commands: string) => block(`cd pack || exit 1\n${commands}`)

/** The guide of a redacted pack. As with a whole one, every `sh` block is run by a test, on a good folder and on forged ones. */
export function redactedGuide(projectId: string): string {
  return `# How to verify this redacted evidence pack

Project \`${projectId}\`. This is an evidence pack from which files were taken out before it was given to you. In \`pack/\` lies what was left,
byte for byte as it was sealed; \`redaction.json\` names what is missing, why, and the SHA-256 that the sealed list gives for it.

**What you can verify:** the list of all files is the one that was sealed, the files that are here are on it, their signatures hold, and the
proof certificate's Merkle roots and the anchors of the audit log are the sealed ones. **What you cannot:** anything said in a file that is
withheld. In particular nobody is named here: \`pack/audit_chain.json\` says in which role each decision was made and the digest of the
signed statement, and that much is what the sealer says. Whoever has the whole pack can show you a withheld file: its SHA-256 must be the
one in \`redaction.json\`.

A POSIX shell, \`openssl\` and \`sha256sum\` are enough. Run the blocks in this folder, in this order; one that finds a fault says \`FAILED\` or
\`failure\` and ends with a status other than 0.

## 1. The list of files is the one that was sealed

${inPack(SEAL_HOLDS)}

${inPack(MANIFEST_IS_SEALED)}

## 2. What is here is on the list; what is on the list and not here is named as withheld

${block(`(cd pack && ${LISTED}) | {
  failed=0 kept=0 withheld=0
  while read -r digest path; do
    stub="\\"path\\":\\"$path\\",\\"sha256\\":\\"$digest\\""
    if [ -e "pack/$path" ]; then
      if [ "$(sha256sum < "pack/$path" | cut -d ' ' -f 1)" = "$digest" ] && ! grep -q "\\"path\\":\\"$path\\"" redaction.json
      then kept=$((kept + 1)); else echo "FAILED: pack/$path is not the one that was sealed"; failed=1; fi
    elif grep -q "$stub" redaction.json
    then withheld=$((withheld + 1)); else echo "FAILED: pack/$path is neither here nor withheld"; failed=1; fi
  done
  echo "$kept files are the sealed ones; $withheld are withheld and not verified"
  [ $failed = 0 ]
}`)}

${block(`{
  (cd pack && ${LISTED}) | while read -r digest path; do if [ -e "pack/$path" ]; then echo "./pack/$path"; fi; done
  printf './%s\\n' VERIFY.md redaction.json
  printf './pack/%s\\n' ${OUTSIDE_MANIFEST.join(' ')}
  for answer in ${TIMESTAMP_RESPONSES.join(' ')}; do if [ -f "pack/$answer" ]; then echo "./pack/$answer"; fi; done
  find . ! -type d
} | LC_ALL=C sort | uniq -c | awk '
  $1 != 2 { print "FAILED: " $2 " does not belong here, or is missing"; failed = 1 }
  END { if (!failed) print "nothing else is here"; exit failed }'`)}

${block(`LC_ALL=C find . -name '*[!A-Za-z0-9._-]*' -o ! -type f ! -type d | awk '
  { print "FAILED: " $0 " is a link, a device or a name that no pack has"; failed = 1 }
  END { if (!failed) print "files and folders only"; exit failed }'`)}

## 3. The signatures that are here hold

${inPack(SIGNATURES_HOLD)}

The audit log itself is withheld. Its head, as the sealed \`audit_chain.json\` names it, is one that was anchored:

${inPack(SUMMARY_IS_ANCHORED)}

## 4. Who signed

Compare these fingerprints with ones that you got another way, from the people who ran the migration:

${inPack(KEYS_ARE_NAMED)}

## 5. Everything at once

\`\`\`text
waybill verify . --trust plan=KEY approval=KEY evidence=KEY anchor=KEY
\`\`\`

It exits with 2 where everything here holds: what is withheld was not verified. It also follows the digests from one document to the next: the certificate to the outcome it is about, \`merkle.json\` to the certificate,
the anchors to \`audit_chain.json\`, and that to \`${MANIFEST}\`.
`
}
