import { GENESIS } from '../audit-chain.ts'
import { PREDICATES } from '../statement.ts'
import { MANIFEST, SEAL } from './pack-files.ts'

/** Lines `<digest> <path>` out of the manifest, which is canonical JSON and so has one form. An entry of any other form is not listed. */
export const LISTED = `tr '}' '\\n' < ${MANIFEST} | sed -n 's/^.*"path":"\\([^"]*\\)","sha256":"\\([0-9a-f]*\\)"$/\\2 \\1/p'`

export function block(commands: string): string {
  return `\`\`\`sh\n${commands}\n\`\`\``
}

/** The subject ends a statement in its canonical form, so nothing that a person wrote into the predicate can stand in its place. */
export function isSubject(of: { file: string; statement: string; before: string; good: string; bad: string }): string {
  const digest = `$(sha256sum < ${of.file} | cut -d ' ' -f 1)`
  const subject = `\\"subject\\":\\[{\\"digest\\":{\\"sha256\\":\\"${digest}\\"},\\"name\\":\\"[^\\"]*\\"}\\]}\\$`
  return `if grep -a -q "${of.before}${subject}" ${of.statement}
then echo '${of.good}'
else echo 'FAILED: ${of.bad}'; false
fi`
}

/** The seal is a good signature. In the folder of the pack. */
export const SEAL_HOLDS = `openssl dgst -sha256 -verify ${SEAL}.pub.pem -signature ${SEAL}.sig.der ${SEAL}.pae.bin`

/** The seal is about this very list of files. */
export const MANIFEST_IS_SEALED = isSubject({
  file: MANIFEST,
  statement: `${SEAL}.pae.bin`,
  before: `\\"predicateType\\":\\"${PREDICATES.pack}\\",`,
  good: `${MANIFEST}: is the one that was sealed`,
  bad: `${MANIFEST} is not the one that was sealed`,
})

/** Every statement that is here holds, under a key of the pack for its purpose. */
export const SIGNATURES_HOLD = `failed=0
for pae in $(find . -name '*.pae.bin' ! -path './code/*' | LC_ALL=C sort); do
  stem=\${pae%.pae.bin}
  case $stem in ./plan/*) purpose=plan ;; ./approvals/* | ./waivers/*) purpose=approval ;; ./audit/anchors/*) purpose=anchor ;; *) purpose=evidence ;; esac
  printf '%s: ' "$stem"
  openssl dgst -sha256 -verify "$stem.pub.pem" -signature "$stem.sig.der" "$pae" || failed=1
  held=no
  for key in keys/$purpose-*.pem; do if cmp -s "$stem.pub.pem" "$key"; then held=yes; fi; done
  if [ $held = no ]; then echo "FAILED: $stem.pub.pem is no $purpose key of keys/"; failed=1; fi
done
if [ $failed = 0 ]; then echo 'all signatures hold'; else echo 'FAILED: not every signature holds'; false; fi`

/**
 * Every key is the one that the list of keys names, for the purpose by which signatures were checked; no key has two purposes. Each with
 * purpose and fingerprint for the reader to compare: a key that may only approve must not pass for one that proves.
 */
export const KEYS_ARE_NAMED = `failed=0
fingerprint() { openssl pkey -pubin -in "$1" -outform DER | sha256sum | cut -d ' ' -f 1; }
for key in keys/*.pem; do
  purpose=\${key#keys/}
  purpose=\${purpose%%-*}
  if grep -q "\\"fingerprint\\":\\"$(fingerprint "$key")\\",[^}]*\\"path\\":\\"$key\\",\\"purpose\\":\\"$purpose\\"}" keys/keys.json
  then echo "$purpose $(fingerprint "$key")"
  else echo "FAILED: $key is not the key that keys/keys.json names for this"; failed=1
  fi
done
twice=$(for key in keys/*.pem; do fingerprint "$key"; done | LC_ALL=C sort | uniq -d)
if [ -n "$twice" ]; then echo "FAILED: the key $twice has two purposes"; failed=1; fi
if [ $failed = 0 ]; then echo 'compare these, purpose and fingerprint, with ones you got another way'; else false; fi`

/** Each key is, for its purpose, one of the reader's: lines `PURPOSE FINGERPRINT` in a file of theirs. After `KEYS_ARE_NAMED`. */
export function keysAreYours(file: string): string {
  return `failed=0
for key in keys/*.pem; do
  purpose=\${key#keys/}
  line="\${purpose%%-*} $(openssl pkey -pubin -in "$key" -outform DER | sha256sum | cut -d ' ' -f 1)"
  if ! grep -q -x -F "$line" ${file}; then echo "FAILED: NOT YOURS: $line"; failed=1; fi
done
if [ $failed = 0 ]; then echo 'every key is one of yours, for its purpose'; else false; fi`
}

const HEX = '\\([0-9a-f]\\{64\\}\\)'

/**
 * Lines `<number> <digest of the entry before> <own digest> <what that digest is of>` out of the audit log. An entry is canonical JSON, and behind its digest come only fields in
 * which no person's words stand: read from its end it has one meaning. A line of any other form has no number. What is digested begins with a brace and ends with one, so the
 * shell, which strips blanks from both ends, strips nothing of it.
 */
const ENTRIES = `LC_ALL=C sed -e 's/^\\({.*\\),"entry_sha256":"${HEX}",\\("prev_sha256":"${HEX}","project_id":"[^"]*","reasoning_sha256":[^,]*,"seq":\\([0-9]*\\),"subject_sha256":[^,]*}\\)$/\\5 \\4 \\2 \\1,\\3/' -e t -e 's/^.*$/none/' audit/entries.jsonl`

/**
 * Every entry of the audit log is the one that its digest says, and follows the one before it; every byte of the log counts. In the folder of the pack. Threat: bytes between
 * entries, where a shell reads none and another reader finds something: a shell's variables hold no NUL, and a last line without an end is read like one with.
 */
export const CHAIN_HOLDS = `${ENTRIES} | {
  failed=0 number=0 before=${GENESIS}
  if ! tr -d '\\000' < audit/entries.jsonl | cmp -s - audit/entries.jsonl
  then echo 'FAILED: the audit log holds a NUL byte'; failed=1; fi
  if [ -n "$(tail -c 1 audit/entries.jsonl | tr '\\000' 0)" ]
  then echo 'FAILED: the last line of the audit log is not ended'; failed=1; fi
  while read -r seq prev digest body || [ -n "$seq" ]; do
    if [ "$seq" != $number ] || [ "$prev" != "$before" ] || [ "$(printf '%s' "$body" | sha256sum | cut -d ' ' -f 1)" != "$digest" ]
    then echo "FAILED: entry $number of the audit log was changed, or does not follow the one before it"; failed=1; fi
    number=$((number + 1)) before=$digest
  done
  if [ $number = 0 ]; then echo 'FAILED: the audit log is empty'; failed=1; fi
  if [ $failed = 0 ]; then echo "the $number entries of the audit log follow one another"; else false; fi
}`

/** What a signed anchor says, ` <number> <digest>` of the entry that it lies over. */
const ANCHORED = `LC_ALL=C sed -n 's/^.*"head_sha256":"${HEX}","project_id":"[^"]*","schema":"[^"]*","sequence":\\([0-9]*\\)},"predicateType":"${PREDICATES.anchor.replaceAll('/', '\\/')}","subject":\\[{"digest":{"sha256":"\\1"},"name":"[^"]*"}\\]}$/\\2 \\1/p' "$pae"`

/**
 * Every anchor names an entry of the log, and the last entry lies under one. After `SIGNATURES_HOLD`, which says who signed the anchors. Threat: whoever seals appends what nobody
 * anchored, or takes entries away.
 */
export const LOG_IS_ANCHORED = `failed=0
last=no
entries=$(${ENTRIES} | while read -r seq prev digest body || [ -n "$seq" ]; do echo "$seq $digest"; done)
for pae in audit/anchors/*.pae.bin; do
  if [ ! -f "$pae" ]; then echo 'FAILED: no anchor is here'; failed=1; break; fi
  anchored=$(${ANCHORED})
  if [ -z "$anchored" ] || ! printf '%s\\n' "$entries" | grep -x -F "$anchored" > /dev/null
  then echo "FAILED: $pae lies over an entry that the audit log does not hold: it was cut or rewritten"; failed=1; fi
  if [ "$anchored" = "$(printf '%s\\n' "$entries" | tail -n 1)" ]; then last=yes; fi
done
if [ $last = no ]; then echo 'FAILED: the last entry of the audit log lies under no anchor, so nobody signed it'; failed=1; fi
if [ $failed = 0 ]; then echo 'the audit log is the anchored one, to its last entry'; else false; fi`

/**
 * The head of the log that the sealed summary names lies under an anchor, unless whoever redacted the pack withheld either. For a pack whose log is withheld; after
 * `SIGNATURES_HOLD`.
 */
export const SUMMARY_IS_ANCHORED = `last=no
head=$(LC_ALL=C sed -n 's/^.*"chain":{"anchored":\\[[0-9,]*\\],"count":\\([0-9]*\\),"head_sha256":"${HEX}"}.*$/\\1 \\2/p' audit_chain.json || true)
for pae in audit/anchors/*.pae.bin; do
  if [ ! -f "$pae" ]; then break; fi
  anchored=$(${ANCHORED})
  if [ -n "$anchored" ] && [ "$((\${anchored%% *} + 1)) \${anchored#* }" = "$head" ]; then last=yes; fi
done
withheld=$(${LISTED} | while read -r digest path; do
  case $path in audit_chain.json | audit/anchors/*.pae.bin) if [ ! -e "$path" ]; then echo "$path"; fi ;; esac
done)
if [ $last = yes ]; then echo 'the head of the audit log is an anchored one'
elif [ -n "$withheld" ]; then echo 'the head of the audit log is not verified: what it takes is withheld'
else echo 'FAILED: the head of the audit log that audit_chain.json names lies under no anchor'; false; fi`
