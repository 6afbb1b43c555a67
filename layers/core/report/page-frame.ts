import { html, Markup } from './markup.ts'
import { STYLE } from './style.ts'

/**
 * A whole page in one file. Threat: a name that got past the escaping; the policy in the head forbids scripts and connections even so, and nobody is told where a reader came from.
 * @param body what stands in `main`, escaped
 */
export function framed(title: Markup, body: Markup): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`.text
}
