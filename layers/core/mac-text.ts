/** The 32 bytes that a text of 43 characters of base64url stands for; null for any other text. */
export function macOf(text: string): Uint8Array | null {
  if (!/^[A-Za-z0-9_-]{43}$/.test(text)) return null
  const bytes = Buffer.from(text, 'base64url')
  // The last character carries two spare bits: without this, four texts would open one door.
  return bytes.toString('base64url') === text ? bytes : null
}
