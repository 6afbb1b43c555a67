import { document } from './page.ts'
import { PASSKEY_SCRIPT } from './passkey-script.ts'
import { escaped, escapeMarkup } from './visible-text.ts'

/** Where the invited person registers a passkey. */
export function registrationPage(view: {
  approver: string
  action: string
  linkToken: string
  formToken: string
  options: string
}): string {
  const hidden = (name: string, value: string) => `<input type="hidden" name="${name}" value="${escapeMarkup(value)}">`
  return document(
    'Register a passkey',
    `<header><p class="brand">Waybill, for ${escaped(view.approver)}</p><h1>Register a passkey</h1></header>
<main id="main"><p class="lead">With a passkey, your fingerprint, face or PIN signs each approval. Your link alone is then no longer enough.</p>
<div class="box"><p>Your device asks for it now, once. It stays on your device or in your password manager; Waybill stores its public half only. It is yours for every migration here.</p></div>
<form method="post" action="${escapeMarkup(view.action)}" data-passkey="${escapeMarkup(view.options)}" aria-labelledby="register-title"><h2 id="register-title">On this device</h2>${hidden('t', view.linkToken)}${hidden('csrf', view.formToken)}${hidden('passkey', '')}
${PASSKEY_SCRIPT}
<div class="buttons"><button class="yes" name="decision" value="register" data-passkey="register">Register this device’s passkey</button></div></form>
</main>
<footer><p>Only the link sent to ${escaped(view.approver)} opens this page.</p></footer>`,
  )
}
