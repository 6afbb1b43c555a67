import { createHash } from 'node:crypto'

/** The one script there is, served by ourselves under this path; pages that need no passkey do not name it. */
export const SCRIPT_PATH = '/passkey.js'

/**
 * Asks the browser for a passkey and puts what it signed into the form. It sends nothing by itself, reads nothing but its own form, and
 * decides nothing: the server checks what arrives.
 */
export const SCRIPT = `'use strict'
;(() => {
  const form = document.querySelector('form[data-passkey]')
  if (form === null) return
  const status = document.getElementById('passkey-status')
  const say = (text) => {
    status.textContent = text
    status.hidden = false
    status.focus()
  }
  if (window.PublicKeyCredential === undefined) return say('This browser has no passkeys. Open the link in another one.')
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (one) => one.charCodeAt(0))
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=+$/, '')
  const asked = JSON.parse(form.dataset.passkey)
  const key = (id) => ({ type: 'public-key', id: bytes(id) })
  const sign = async () => {
    const { id, response } = await navigator.credentials.get({
      publicKey: { challenge: bytes(asked.challenge), rpId: asked.rpId, allowCredentials: asked.credentials.map(key), userVerification: 'required' },
    })
    return { id, clientDataJSON: text(response.clientDataJSON), authenticatorData: text(response.authenticatorData), signature: text(response.signature) }
  }
  const register = async () => {
    const made = await navigator.credentials.create({
      publicKey: {
        challenge: bytes(asked.challenge),
        rp: { id: asked.rpId, name: 'Waybill' },
        user: { id: bytes(asked.user), name: asked.name, displayName: asked.name },
        pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
        authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
        excludeCredentials: asked.credentials.map(key),
        attestation: 'none',
      },
    })
    const { clientDataJSON, attestationObject } = made.response
    return { id: made.id, clientDataJSON: text(clientDataJSON), attestationObject: text(attestationObject) }
  }
  let signed = false
  form.addEventListener('submit', async (event) => {
    const button = event.submitter
    if (signed || button === null || button.dataset.passkey === undefined) return
    event.preventDefault()
    try {
      form.elements.passkey.value = JSON.stringify(await (button.dataset.passkey === 'register' ? register() : sign()))
      signed = true
      form.requestSubmit(button)
    } catch (error) {
      say('The passkey was not used: ' + (error instanceof Error && error.name === 'InvalidStateError' ? 'it is registered already.' : 'it was cancelled, or there is none for this page on this device.') + ' Nothing was sent.')
    }
  })
})()
`

/** For the `integrity` attribute: a script that was changed on its way is not run. */
const SCRIPT_INTEGRITY = `sha256-${createHash('sha256').update(SCRIPT).digest('base64')}`

/** Loads the script, and says what is needed where it cannot run. */
export const PASSKEY_SCRIPT = `<noscript><p class="error"><strong>This needs JavaScript.</strong> A passkey is used by the browser, and only a script can ask it to. Allow scripts for this page, or open the link in another browser. Rejecting works without.</p></noscript>
<p id="passkey-status" class="error" role="alert" tabindex="-1" hidden></p>
<script src="${SCRIPT_PATH}" integrity="${SCRIPT_INTEGRITY}" defer></script>`
