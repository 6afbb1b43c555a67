/** Undoes quoted-printable, the form in which mail programs send long lines. */
function unquoted(text: string): string {
  return text.replace(/=\r?\n/g, '').replace(/=([0-9A-F]{2})/g, (_match, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** The approval link of a message in the outbox. */
export function linkIn(message: string): string | null {
  return unquoted(message).match(/https?:\/\/[^\s"<>/]+\/approvals\/[^\s"<>]+/)?.[0] ?? null
}

/** The address a message goes to. */
export function recipientOf(message: string): string | null {
  return unquoted(message).match(/^To: .*?([^\s<>]+@[^\s<>]+)/m)?.[1] ?? null
}
