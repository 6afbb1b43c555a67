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
