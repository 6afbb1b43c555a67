import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Authority = {
  folder: string
  /** PEM of the root that issued the authority's certificate, by way of an intermediate. */
  root: string
  rootPath: string
  /** DER of the response to a request in DER. */
  reply(request: Uint8Array): Uint8Array
  remove(): void
}

/** A real timestamp authority: `openssl ts -reply` with a root, an intermediate and three end certificates (`stamps.pem`, `loose.pem`, `mails.pem`), only the first of which may stamp. */
export function timestampAuthority(key: 'rsa' | 'ec' = 'rsa'): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-tsa-'))
  const at = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const newKey = key === 'rsa' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  writeFileSync(at('ca.ext'), 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n')
  writeFileSync(at('stamps.ext'), 'extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n')
  writeFileSync(at('loose.ext'), 'extendedKeyUsage=timeStamping\n')
  writeFileSync(at('mails.ext'), 'extendedKeyUsage=critical,timeStamping,emailProtection\n')
  openssl(
    'req',
    '-x509',
    '-newkey',
    ...newKey,
    '-nodes',
    '-keyout',
    'root.key',
    '-out',
    'root.pem',
    '-days',
    '30',
    '-subj',
    '/CN=Test Root',
    '-addext',
    'keyUsage=critical,keyCertSign',
  )
  const issue = (name: string, issuer: string, extensions: string) => {
    openssl('req', '-newkey', ...newKey, '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/O=Example/CN=Test ${name}`)
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      `${issuer}.pem`,
      '-CAkey',
      `${issuer}.key`,
      '-CAcreateserial',
      '-days',
      '20',
      '-extfile',
      extensions,
      '-out',
      `${name}.pem`,
    )
  }
  issue('middle', 'root', 'ca.ext')
  issue('stamps', 'middle', 'stamps.ext')
  issue('loose', 'middle', 'loose.ext')
  issue('mails', 'middle', 'mails.ext')
  writeFileSync(
    at('tsa.cnf'),
    '[tsa]\nserial=serial\ndigests=sha256\ndefault_policy=1.2.3.4\ness_cert_id_alg=sha256\nsigner_digest=sha256\naccuracy=secs:1\nordering=no\n',
  )
  writeFileSync(at('serial'), '01\n')
  return {
    folder,
    root: readFileSync(at('root.pem'), 'utf8'),
    rootPath: at('root.pem'),
    reply(request) {
      writeFileSync(at('request.tsq'), request)
      openssl(
        'ts',
        '-reply',
        '-config',
        'tsa.cnf',
        '-section',
        'tsa',
        '-queryfile',
        'request.tsq',
        '-signer',
        'stamps.pem',
        '-inkey',
        'stamps.key',
        '-chain',
        'middle.pem',
        '-out',
        'response.tsr',
      )
      return readFileSync(at('response.tsr'))
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
