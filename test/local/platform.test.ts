import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { passkeyKey } from '../../functions/work/passkeys.ts'
import { checkLink, checkPlanLink, checkRegistration, type LinkFields, type PlanLinkFields } from '../../layers/core/approval-link.ts'
import { lowS } from '../../layers/core/ecdsa.ts'
import { WaybillError } from '../../layers/core/errors.ts'
import type { Signers } from '../../layers/core/ports.ts'
import { systemClock } from '../../layers/local/clock.ts'
import { localGitHost } from '../../layers/local/git-host.ts'
import { randomIds } from '../../layers/local/ids.ts'
import { fileKeys, fileMacs } from '../../layers/local/keys.ts'
import { jsonLog, redaction } from '../../layers/local/log.ts'
import { outboxNotifier, smtpNotifier } from '../../layers/local/notifier.ts'
import { localSecrets } from '../../layers/local/secrets.ts'
import { fileSigners } from '../../layers/local/signer.ts'
import { gitHostContract } from '../contracts/git-host.ts'
import { macsContract } from '../contracts/macs.ts'
import { notifierContract, type SentMail } from '../contracts/notifier.ts'
import { refusal } from '../contracts/samples.ts'
import { signersContract } from '../contracts/signer.ts'
import { clockContract, idsContract, keysContract, secretsContract } from '../contracts/small-ports.ts'
import { temporaryFolder } from './temporary.ts'

const made: (() => void)[] = []
const folderFor = (): string => {
  const { folder, remove } = temporaryFolder()
  made.push(remove)
  return folder
}
process.on('exit', () => {
  for (const remove of made) remove()
})

idsContract('random', randomIds)
clockContract('system', systemClock)
const keyFolder = folderFor()
keysContract('files', async () => fileKeys({ folder: keyFolder }))
macsContract(
  'files',
  async () => fileMacs({ folder: keyFolder }),
  (purpose) => (purpose === 'page' ? 'page.key' : 'link.key'),
)
const signerFolder = folderFor()
signersContract('key files', async () => fileSigners({ folder: signerFolder }))

describe('key files', () => {
  it('are private, and one each although many make them at once', async () => {
    const folder = folderFor()
    const all: Signers[] = Array.from({ length: 8 }, () => fileSigners({ folder }))
    const pems = await Promise.all(all.map((signers) => signers.plan.publicKeyPem()))
    expect(new Set(pems).size).toBe(1)
    expect(readdirSync(folder)).toEqual(['plan.pem'])
    expect(statSync(join(folder, 'plan.pem')).mode & 0o777).toBe(0o600)
    expect(await all[0]?.plan.keyId()).toMatch(/^local:[0-9a-f]{64}$/)
  })

  it('give signatures that openssl accepts', async () => {
    const folder = folderFor()
    const { plan } = fileSigners({ folder })
    const message = Buffer.from('DSSEv1 …')
    writeFileSync(join(folder, 'm'), message)
    writeFileSync(join(folder, 'pub'), await plan.publicKeyPem())
    writeFileSync(join(folder, 'sig'), await plan.sign(createHash('sha256').update(message).digest()))
    const said = execFileSync('openssl', ['dgst', '-sha256', '-verify', 'pub', '-signature', 'sig', 'm'], { cwd: folder, encoding: 'utf8' })
    expect(said).toBe('Verified OK\n')
  })

  it('give signatures in the one form the verifier takes', async () => {
    const { plan } = fileSigners({ folder: signerFolder })
    for (let n = 0; n < 30; n++) {
      const signature = await plan.sign(createHash('sha256').update(`${n}`).digest())
      expect(Buffer.from(lowS(signature)).equals(Buffer.from(signature))).toBe(true)
    }
  })

  it('of a wrong kind are refused without a word of what they hold', async () => {
    const folder = folderFor()
    writeFileSync(join(folder, 'plan.pem'), 'secret stuff')
    const error: Error = await fileSigners({ folder })
      .plan.publicKeyPem()
      .then(
        () => new Error('accepted'),
        (e) => e,
      )
    expect(error).toMatchObject({ code: 'BAD_INPUT' })
    expect(`${error.message}${error.stack}${String(error.cause)}`).not.toContain('secret stuff')
    const keys = folderFor()
    writeFileSync(join(keys, 'link.key'), 'short')
    expect(await refusal(fileMacs({ folder: keys }).macMakers.approvalLink(Buffer.from('x')))).toBe('BAD_INPUT')
  })
})

describe('a home from before links, forms and sessions had keys of their own', () => {
  it('opens the links that were mailed, and finds the passkeys that were registered', async () => {
    const folder = folderFor()
    writeFileSync(join(folder, 'link.key'), new Uint8Array(32).fill(7), { mode: 0o600 })
    const { macMakers, macCheckers } = fileMacs({ folder })
    const now = new Date('2026-03-01T00:00:00.000Z')
    const approval: LinkFields = {
      approval_id: 'apr-1',
      approver: 'tess@example.com',
      role: 'tech_lead',
      subject_sha256: 'ab'.repeat(32),
      transition: 'PLAN_DRAFTED->PLANNED',
      expires_at: '2026-03-05T10:00:00.000Z',
    }
    const plan: PlanLinkFields = {
      project_id: 'p-1',
      person: 'ada@example.org',
      role: 'engineering_manager',
      plan_sha256: 'a'.repeat(64),
      expires_at: '2026-03-02T00:00:00.000Z',
    }
    await checkLink(macCheckers.approvalLink, approval, '8mQNL4QrpXB2u0CPgTbYL27PCqbT--7S-KAJauzs8wc', now)
    await checkRegistration(macCheckers.registrationLink, approval, 'xRle96gS1F8Luj_RPEe_QwF-It1f7ZemJ6gqNBSc13M', now)
    await checkPlanLink(macCheckers.waiverLink, 'waivers', plan, 'RcHyz8JnIlR1_RF2yZBqRAASIQoXRDY-XktfdKsxzjo', now)
    await checkPlanLink(macCheckers.withdrawalLink, 'plans', plan, 'Vp0lvSDxPdRnvPnm8h-szDpkGR6CAXAy24td5ZZphZw', now)
    expect(await passkeyKey({ macMakers }, 'tess@example.com', 'AAAA')).toBe(
      'projects/_people/passkeys/9f8aee48740886f568420a1ce2a7e650c58c5af7/b3be73e2583f22584f0f38b5b857a2ae.dsse.json',
    )
  })
})

secretsContract('environment and files', async () => {
  const folder = folderFor()
  writeFileSync(join(folder, 's'), 'from a file\n', { mode: 0o600 })
  const stores = { vault: { resolve: async (ref: string) => `what lies at ${ref}` } }
  return {
    secrets: localSecrets({ env: { SOURCE_URL: 'postgres://u:p@h/d', EMPTY: '' }, stores }),
    known: [
      ['env://SOURCE_URL', 'postgres://u:p@h/d'],
      [`file://${folder}/s`, 'from a file'],
      ['vault://secret/x', 'what lies at vault://secret/x'],
    ],
    foreign: ['aws-secretsmanager://x', 'azure-keyvault://v/x', 'toString://x', 'nonsense'],
    absent: ['env://TARGET_URL', 'env://EMPTY', 'env://toString', `file://${folder}/none`, `file://${folder}`],
  }
})

describe('a secret file', () => {
  it('is read only where no other user can', async () => {
    const path = join(folderFor(), 's')
    writeFileSync(path, 'secret')
    for (const [mode, code] of [
      [0o600, 'no error'],
      [0o400, 'no error'],
      [0o640, 'PERMISSION_DENIED'],
      [0o604, 'PERMISSION_DENIED'],
      [0o620, 'PERMISSION_DENIED'],
      [0o601, 'PERMISSION_DENIED'],
    ] as const) {
      chmodSync(path, mode)
      expect(await refusal(localSecrets({ env: {} }).resolve(`file://${path}`)), mode.toString(8)).toBe(code)
    }
    chmodSync(path, 0o644)
    await expect(localSecrets({ env: {} }).resolve(`file://${path}`)).rejects.toThrow(`chmod 600 ${path}`)
  })

  it('is not a whole disk', async () => {
    const path = join(folderFor(), 's')
    writeFileSync(path, 'x'.repeat(65_537), { mode: 0o600 })
    expect(await refusal(localSecrets({ env: {} }).resolve(`file://${path}`))).toBe('BAD_INPUT')
    writeFileSync(path, '', { mode: 0o600 })
    expect(await refusal(localSecrets({ env: {} }).resolve(`file://${path}`))).toBe('NOT_FOUND')
  })
})

describe('secrets of other platforms', () => {
  it('are refused with what to do', async () => {
    const promise = localSecrets({ env: {}, stores: { vault: { resolve: async () => 'x' } } }).resolve('aws-sm://x')
    await expect(promise).rejects.toThrow(/env:\/\/, file:\/\/, vault:\/\/; aws-sm:\/\/ needs Waybill in the account/)
    expect(await refusal(promise)).toBe('BAD_INPUT')
  })
})

describe('the log', () => {
  const secret = 'postgres://ada:p%40ss%22word@db/x'
  const logged = async (write: (log: ReturnType<typeof jsonLog>) => void): Promise<string[]> => {
    const lines: string[] = []
    const hidden = redaction()
    await localSecrets({ env: { URL: secret }, onResolved: hidden.add }).resolve('env://URL')
    write(jsonLog({ clock: systemClock, redaction: hidden, write: (line) => lines.push(line) }))
    return lines
  }

  it('shows no secret resolved so far, nor the password in it, in any form', async () => {
    const lines = await logged((log) => {
      log.info(`connecting to ${secret}`)
      log.warn('failed', {
        error: new Error(`password authentication failed for ${secret}`),
        nested: { list: [secret, 'p@ss"word', 'p%40ss%22word'] },
      })
      log.error('x', {
        [secret]: 1,
        waybill: new WaybillError('CONNECTION_FAILED', `at ${secret}`, { details: ['p@ss"word'] }),
        json: JSON.stringify('p@ss"word'),
      })
    })
    expect(lines).toHaveLength(3)
    for (const line of lines) {
      for (const form of [secret, 'p@ss', 'p%40ss', 'word@db']) expect(line).not.toContain(form)
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), at: expect.stringMatching(/Z$/) })
    }
    expect(lines[0]).toContain('[secret]')
  })

  it('is lines of JSON whatever it is given', async () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    const lines = await logged((log) => log.info('a\nb', { rows: 12n, cycle }))
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0]!)).toMatchObject({ message: 'a\nb' })
  })
})

/** Headers unfolded; body parts decoded from base64 or quoted-printable. */
function parsed(eml: string): SentMail {
  const [head = '', ...rest] = eml.split('\r\n\r\n')
  const bytes = rest
    .join('\r\n\r\n')
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  const body = Buffer.from(bytes, 'latin1').toString('utf8')
  // RFC 2047: words of other than ASCII travel encoded; the space between two of them is no space.
  const unfolded = head.replace(/\r\n[ \t]+/g, ' ').replace(/\?= +=\?/g, '?==?')
  const headers = unfolded.replace(/=\?utf-8\?([qb])\?(.*?)\?=/gi, (_, kind: string, text: string) => {
    const word =
      kind.toLowerCase() === 'b'
        ? Buffer.from(text, 'base64').toString('latin1')
        : text.replace(/=([0-9A-F]{2})/g, (_all, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
    return Buffer.from(word, 'latin1').toString('utf8')
  })
  return { headers, body }
}

notifierContract('outbox', async () => {
  const folder = folderFor()
  return {
    notifier: outboxNotifier({ folder, clock: systemClock, ids: randomIds }),
    sent: async () =>
      readdirSync(folder)
        .toSorted()
        .map((name) => parsed(readFileSync(join(folder, name), 'utf8'))),
    done: async () => {
      for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
    },
  }
})

/** As much of an SMTP server as it takes to receive. */
async function receivingServer(): Promise<{ port: number; messages: string[]; server: Server }> {
  const messages: string[] = []
  const server = createServer((socket) => {
    let data: string | null = null
    socket.write('220 test\r\n')
    socket.on('data', (chunk) => {
      if (data !== null) data += chunk
      else
        for (const line of String(chunk)
          .split('\r\n')
          .filter((each) => each !== '')) {
          const verb = line.slice(0, 4).toUpperCase()
          if (verb === 'DATA') data = ''
          socket.write(verb === 'DATA' ? '354 go\r\n' : verb === 'QUIT' ? '221 bye\r\n' : '250 ok\r\n')
          if (verb === 'QUIT') socket.end()
        }
      if (data?.endsWith('\r\n.\r\n')) {
        messages.push(data.slice(0, -5))
        data = null
        socket.write('250 stored\r\n')
      }
    })
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return { port: typeof address === 'object' && address !== null ? address.port : 0, messages, server }
}

notifierContract('SMTP', async () => {
  const { port, messages, server } = await receivingServer()
  return {
    notifier: smtpNotifier({ url: `smtp://127.0.0.1:${port}?ignoreTLS=true`, from: 'waybill@example.org' }),
    sent: async () => messages.map(parsed),
    done: () => new Promise((resolve) => server.close(() => resolve())),
  }
})

describe('SMTP that fails', () => {
  it('says so without the password in its URL', async () => {
    const { port, server } = await receivingServer()
    await new Promise((resolve) => server.close(resolve))
    const notifier = smtpNotifier({ url: `smtp://u:hunter22@127.0.0.1:${port}`, from: 'waybill@example.org' })
    const error: Error = await notifier.send({ to: 'a@example.org', subject: 's', text: 't', html: 'h' }).then(
      () => new Error('sent'),
      (e) => e,
    )
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED' })
    expect(`${error.message}${String(error.cause)}`).not.toContain('hunter22')
  })
})

gitHostContract('local bare repository', async () => {
  const folder = join(folderFor(), 'repo.git')
  const git = (...args: string[]) =>
    execFileSync('git', ['--git-dir', folder, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const tried = (...args: string[]) => {
    try {
      return git(...args).trim()
    } catch {
      return null
    }
  }
  return {
    host: localGitHost({ folder, clock: systemClock }),
    commitOf: async (branch) => (existsSync(folder) ? tried('rev-parse', '--verify', `refs/heads/${branch}`) : null),
    parentsOf: async (commit) => git('rev-list', '--parents', '-n', '1', commit).trim().split(' ').slice(1),
    fileAt: async (commit, path) => git('cat-file', 'blob', `${commit}:${path}`),
    textOf: async (ref) => git('cat-file', 'tag', ref),
    done: async () => {
      if (existsSync(folder)) expect(tried('fsck', '--strict')).not.toBeNull()
    },
  }
})

describe('the local Git host', () => {
  it('takes nothing from the user’s configuration', async () => {
    const folder = join(folderFor(), 'repo.git')
    const host = localGitHost({ folder, clock: { now: () => new Date('2026-03-01T10:00:00.000Z') } })
    const { commit } = await host.publish({
      branch: 'waybill/p1',
      base: 'main',
      title: 't',
      body: 'b',
      files: [{ path: 'a', content: 'x' }],
    })
    const shown = execFileSync('git', ['--git-dir', folder, 'cat-file', 'commit', commit], { encoding: 'utf8' })
    expect(shown).toContain('author Waybill <waybill@localhost.localdomain> 1772359200 +0000')
    expect(shown).toContain('committer Waybill <waybill@localhost.localdomain> 1772359200 +0000')
  })

  it('says when git is not there', async () => {
    const host = localGitHost({ folder: join(folderFor(), 'repo.git'), clock: systemClock, path: folderFor() })
    expect(await refusal(host.publish({ branch: 'a', base: 'main', title: 't', body: 'b', files: [] }))).toBe('NOT_FOUND')
  })

  it('numbers pull requests one after another, also when two are made at once', async () => {
    const host = localGitHost({ folder: join(folderFor(), 'repo.git'), clock: systemClock })
    const change = (n: number) => ({ branch: `b${n}`, base: 'main', title: `t${n}`, body: 'b', files: [{ path: 'a', content: `${n}` }] })
    await host.publish(change(0))
    const rest = await Promise.all([1, 2, 3].map((n) => host.publish(change(n))))
    expect(rest.map((each) => each.pull_request).toSorted()).toEqual(['refs/pull/2', 'refs/pull/3', 'refs/pull/4'])
  })
})
