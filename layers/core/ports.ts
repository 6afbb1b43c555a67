/**
 * Ports: small records of functions. An adapter per platform implements them (`layers/aws`, `layers/local`);
 * one contract suite per port in `test/contracts/` runs on every adapter. All throw `WaybillError` with the codes named here.
 */

import type { Connectors } from './connector.ts'
import type { MacPurpose, SigningPurpose } from './names.ts'
import type { ArtifactPointer } from './schemas/common.ts'
import type { ApprovalGroup, ApprovalRequest, AuditEntry, OpenGroup } from './schemas/governance.ts'
import type { Lease } from './schemas/lease.ts'
import type { NightSettings } from './schemas/night.ts'
import type { Policy } from './schemas/policy.ts'
import type { WorkProgress } from './schemas/progress.ts'
import type { ProjectRecord } from './schemas/project.ts'

/** `pauseUpTo`: waits a random time of up to so many milliseconds, so that writers who met do not meet again; none where stores need no such wait. */
export type Clock = { now(): Date; pauseUpTo?(milliseconds: number): Promise<void> }

/** Unguessable identifiers: `<prefix>-` and 26 characters of lower-case base 32 (130 random bits). */
export type Ids = { next(prefix: string): string }

/** Both are there; or neither is, because the log has another head than the entry follows, or the record is not in the revision before. */
export type Written = 'WRITTEN' | 'HEAD_MOVED' | 'REVISION_MOVED'

/** Every project that is stored, by id. `unreadable`: somebody spoiled the record of this one; `says` why it cannot be read. */
export type ListedProjects = { records: ProjectRecord[]; unreadable: { project_id: string; says: string }[] }

/** A record and the audit entry that tells of it land in one write: there is no state that nobody recorded, and no entry for a change that was not made. */
export type ProjectStore = {
  /** @throws ALREADY_EXISTS, BAD_INPUT when the entry tells of another record */
  create(record: ProjectRecord, entry: AuditEntry): Promise<Written>
  /** @throws NOT_FOUND, EVIDENCE_INVALID when the record cannot be read any more */
  get(projectId: string): Promise<ProjectRecord>
  /** Writes where the stored revision is `record.revision - 1` and the log's head is the one that `entry` follows. @throws NOT_FOUND, BAD_INPUT as above */
  update(record: ProjectRecord, entry: AuditEntry): Promise<Written>
  /** One record that cannot be read hides no other. */
  list(): Promise<ListedProjects>
}

export type AuditLog = {
  /** The newest entry, or null for an empty chain. */
  head(projectId: string): Promise<AuditEntry | null>
  /** One conditional write on (project_id, seq); no update, no delete. @throws CONFLICT when seq is taken or does not follow the head */
  append(entry: AuditEntry): Promise<void>
  /** The chain in order; with `from`, only entries of that number and later. */
  read(projectId: string, from?: number): Promise<AuditEntry[]>
}

export type ArtifactStore = {
  /**
   * Write once. Same key and same bytes again gives the same pointer.
   * @throws ALREADY_EXISTS for other bytes under a key that is taken
   */
  put(key: string, bytes: Uint8Array, options: { contentType: string; retainUntil: Date }): Promise<ArtifactPointer>
  /** The pointer under a key, or null. */
  find(key: string): Promise<ArtifactPointer | null>
  /** Bytes whose SHA-256 was checked against the pointer. @throws NOT_FOUND, EVIDENCE_INVALID when the bytes are not the pointer's */
  get(pointer: ArtifactPointer): Promise<Uint8Array>
  /** Keys under a prefix, sorted by code unit. */
  list(prefix: string): Promise<string[]>
  /** @throws RETENTION_ACTIVE before `retainUntil` */
  remove(pointer: ArtifactPointer): Promise<void>
}

export type Signer = {
  /** ECDSA P-256, DER, over a SHA-256 digest of 32 bytes. */
  sign(digest: Uint8Array): Promise<Uint8Array>
  /** SPKI PEM of the public half. */
  publicKeyPem(): Promise<string>
  /** Who holds the private half: a KMS key ARN, or `local:` and a fingerprint. Never decides trust. */
  keyId(): Promise<string>
}
export type Signers = Record<SigningPurpose, Signer>

/** Which public keys may sign which purpose. Decides trust; comes from the caller, never from the document. */
export type TrustRoot = Record<SigningPurpose, readonly string[]>

export type ApprovalStore = {
  /** Requests and their group in one write. @throws ALREADY_EXISTS */
  open(group: ApprovalGroup, requests: readonly ApprovalRequest[]): Promise<void>
  /** @throws NOT_FOUND */
  request(approvalId: string): Promise<ApprovalRequest>
  requests(groupId: string): Promise<ApprovalRequest[]>
  /** @throws NOT_FOUND */
  group(groupId: string): Promise<ApprovalGroup>
  /** When the state machine was told the group's outcome, or null. Opens no task token: who shows pages may not. @throws NOT_FOUND */
  toldAt(groupId: string): Promise<string | null>
  /**
   * PENDING → DECIDED, once; `next` joins the group in the same write, for a request that is handed on.
   * @throws CONFLICT when it is not PENDING any more, NOT_FOUND
   */
  decide(request: ApprovalRequest, next?: ApprovalRequest): Promise<void>
  /** Another PENDING request in an open group. @throws ALREADY_EXISTS, NOT_FOUND when there is no such group */
  join(request: ApprovalRequest): Promise<void>
  /** APPROVED → WITHDRAWN, once, with its withdrawal statement; `next` as in `decide`. @throws CONFLICT, NOT_FOUND */
  withdraw(request: ApprovalRequest, next: ApprovalRequest): Promise<void>
  /** Marks that the state machine accepted the outcome; marking twice is no error. */
  told(groupId: string, at: string): Promise<void>
  /** Groups that were neither told nor closed, of all projects, by id; for the schedule. Opens no task token. */
  untold(): Promise<OpenGroup[]>
  /** No longer lists a group whose project failed or is over. It was told nothing, and somebody who decides in it may still be told. Twice is no error. @throws NOT_FOUND */
  close(groupId: string): Promise<void>
  byProject(projectId: string): Promise<ApprovalRequest[]>
}

/**
 * One reconciliation of a project at a time. A lease is not trusted to exclude by itself: its holder may sleep past its end. What it writes
 * carries the fence, and the project record refuses a fence that is not the newest.
 */
export type LeaseStore = {
  /** For who holds it already: the same lease, longer. For another: a new one with a greater fence, when the old one is given back or over at `now`. */
  take(wanted: { project_id: string; holder: string; now: Date; until: Date }): Promise<{ taken: boolean; lease: Lease }>
  /** Makes it last until then. False for a fence that is not the newest, or was given back. */
  renew(projectId: string, fence: string, until: Date): Promise<boolean>
  /** Gives it back. False for a fence that is not the newest. */
  release(projectId: string, fence: string): Promise<boolean>
}

export type TaskTokens = {
  /** @throws NOT_FOUND when the token is spent or expired */
  succeed(token: string, output: unknown): Promise<void>
  fail(token: string, error: string, cause: string): Promise<void>
}

export type Mail = { to: string; subject: string; text: string; html: string }
export type Notifier = { send(mail: Mail): Promise<void> }

export type Secrets = {
  /** The secret's text. Never logged, never in an error. @throws NOT_FOUND, PERMISSION_DENIED */
  resolve(secretRef: string): Promise<string>
}

/** A model may add to a proposal, never replace a rule. Null: no model here. */
export type Model = { propose(request: { agent: string; instructions: string; facts: string; schema: unknown }): Promise<unknown> } | null

/** Branch, commit, pull request. There is no merge. */
export type GitHost = {
  publish(change: {
    branch: string
    base: string
    title: string
    body: string
    files: readonly { path: string; content: string }[]
  }): Promise<{ branch: string; commit: string; pull_request: string }>
}

/** The key that masks values in evidence; 32 bytes, from the platform's secret store. */
export type Keys = { mask(): Promise<Uint8Array> }

/** The most that is authenticated at once, in bytes; KMS takes no more. Every message of ours is bounded below it. */
export const MAC_MESSAGE_BYTES = 4096

/** HMAC-SHA256 of 1 to `MAC_MESSAGE_BYTES` bytes, 32 bytes; the same for the same message. @throws BAD_INPUT for another length */
export type MacMaker = (message: Uint8Array) => Promise<Uint8Array>
/** Whether `mac` was made of this very message; compared in constant time. @throws CONNECTION_FAILED, PERMISSION_DENIED when that cannot be told */
export type MacChecker = (message: Uint8Array, mac: Uint8Array) => Promise<boolean>

/** Making and checking are separate rights: who is given the one cannot do the other. */
export type MakesMacs<P extends MacPurpose> = { macMakers: Pick<Record<MacPurpose, MacMaker>, P> }
export type ChecksMacs<P extends MacPurpose> = { macCheckers: Pick<Record<MacPurpose, MacChecker>, P> }

/** What workers say of themselves while they work. Writing it must not be able to fail a worker: its callers go on without. */
export type Progress = {
  /** One row a task (run, worker and part), written over itself. */
  report(row: WorkProgress): Promise<void>
  /** Rows of a project's runs, by run, worker and part; those not written for 30 days may be gone. */
  read(projectId: string): Promise<WorkProgress[]>
}

/** Workers that are running now, whoever started them. */
export type Workers = {
  /** Ids of those that work on a run of a project. */
  running(projectId: string, runId: string): Promise<string[]>
  /** Asks one to stop, and to be stopped if it does not. One that has ended is no error. */
  stop(worker: string, reason: string): Promise<void>
}

/** Asks the anchoring function to sign and store the chain's head. The caller cannot choose what is signed. */
export type Anchors = { anchor(projectId: string): Promise<void> }

/** `fields.metrics`: numbers by name (`METRICS` of names.ts) that a platform may draw besides. */
export type Log = {
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}

/** Who an identity provider says that somebody is. `email` only where it says that it verified the address. */
export type Person = { issuer: string; subject: string; email: string | null }

/** Signing in at an organisation's identity provider: authorization code with PKCE, state and nonce. Null: people are known by their link alone. */
export type SignIn = {
  /** Where the browser goes. @throws CONNECTION_FAILED */
  start(request: { redirectUri: string; state: string; nonce: string; verifier: string }): Promise<string>
  /** `url`: where the browser came back to, with code and state. @throws PERMISSION_DENIED when anything does not agree, CONNECTION_FAILED */
  finish(answer: { url: string; state: string; nonce: string; verifier: string }): Promise<Person>
} | null

/** One HTTP request, as every platform gives it. Header names are lower-case; the body is decoded text. */
export type HttpRequest = {
  method: string
  path: string
  query: Readonly<Record<string, string>>
  headers: Readonly<Record<string, string>>
  body: string
}
export type HttpResponse = { status: number; headers: Record<string, string>; body: string }

/**
 * Everything a composition root can give, by the one name handlers ask for it: a handler's `deps` is `Pick<Ports, …>`.
 * A platform may refuse one lazily: reading a port that a function was given no permission for throws PERMISSION_DENIED.
 */
export type Ports = {
  clock: Clock
  ids: Ids
  projects: ProjectStore
  audit: AuditLog
  artifacts: ArtifactStore
  approvals: ApprovalStore
  leases: LeaseStore
  signers: Signers
  trust: TrustRoot
  policy: Policy
  nights: NightSettings
  tasks: TaskTokens
  notifier: Notifier
  signIn: SignIn
  secrets: Secrets
  model: Model
  git: GitHost
  keys: Keys
  macMakers: Record<MacPurpose, MacMaker>
  macCheckers: Record<MacPurpose, MacChecker>
  anchors: Anchors
  progress: Progress
  workers: Workers
  connectors: Connectors
  log: Log
  /** Where people reach the approval pages: scheme and host, no trailing slash. */
  publicUrl: string
}
