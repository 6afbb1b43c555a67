import { createHash } from 'node:crypto'

/** One style sheet, inline, so that the page needs nothing from anywhere. Light and dark; works at 320 px; table rows become cards on a phone; paper holds what a screen folds and what is asked, and no field to fill in. */
export const STYLE = `:root{color-scheme:light dark;--ink:#1c2430;--soft:#4c5a6b;--paper:#fff;--field:#f3f5f8;--line:#c9d1db;--accent:#0b5394;--good:#1b6b3a;--bad:#a31621;--care:#8a4b00;--note:#3d4c5e}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e8edf3;--soft:#b3c0cf;--paper:#12171e;--field:#1c242e;--line:#3b4857;--accent:#8cc1f5;--good:#7fd6a0;--bad:#ff9a9a;--care:#f2bd6b;--note:#b7c6d6}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
a{color:var(--accent)}
.skip{position:absolute;left:-999rem}
.skip:focus{left:1rem;top:.5rem;background:var(--paper);padding:.5rem 1rem}
header,main,footer{max-width:60rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.5rem}
.brand{color:var(--soft);font-size:.9rem;margin:0;letter-spacing:.02em}
h1{font-size:1.7rem;line-height:1.25;margin:.25rem 0 .75rem}h1,h2,legend,.brand,.choice{overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.2rem 0 .5rem}
h3{font-size:1rem;margin:1.4rem 0 .4rem;overflow-wrap:anywhere}
p{max-width:46rem;overflow-wrap:anywhere}
.lead{font-size:1.1rem}
.box{background:var(--field);border-radius:.6rem;padding:1rem 1.25rem;margin:1rem 0}
.box>:first-child{margin-top:0}.box>:last-child{margin-bottom:0}
dl{margin:.75rem 0;display:grid;gap:.35rem}
dl div{display:grid;grid-template-columns:11rem minmax(0,1fr);gap:.75rem}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
code{font:.95em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.digest b{font-size:1.15em;text-decoration:underline;text-underline-offset:.2em}
table{border-collapse:collapse;width:100%;font-size:.95rem}
th,td{text-align:left;vertical-align:top;padding:.45rem .6rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
td,tbody th{min-width:5.5rem}thead th{color:var(--soft);font-weight:600;overflow-wrap:normal}
tbody th{font-weight:600}
tr.care>:first-child{box-shadow:inset .25rem 0 var(--care)}
tr.bad>:first-child{box-shadow:inset .25rem 0 var(--bad)}
tr.good>:first-child{box-shadow:inset .25rem 0 var(--good)}
.more{color:var(--care);font-weight:600}
ul.marks{list-style:none;margin:.75rem 0;padding:0}
ul.marks li{display:grid;grid-template-columns:4.8rem minmax(0,1fr);gap:.75rem;padding:.35rem 0;overflow-wrap:anywhere}
.mark{font-weight:700;font-size:.9rem}
.good.mark{color:var(--good)}.bad.mark{color:var(--bad)}.care.mark,.warn.mark{color:var(--care)}.note.mark{color:var(--note)}
form{border-top:3px solid var(--accent);margin-top:2.5rem;padding-top:.5rem}
fieldset{border:1px solid var(--line);border-radius:.6rem;margin:1rem 0;padding:1rem 1.25rem}
legend{font-weight:600;padding:0;float:left;width:100%;margin-bottom:.35rem}legend+*{clear:both}
label{display:block;font-weight:600;margin-top:1rem}
.choice{display:grid;grid-template-columns:1.6rem minmax(0,1fr);gap:.5rem;font-weight:400;padding:.35rem 0;margin:0}
.choice input{width:1.15rem;height:1.15rem;margin:.2rem 0 0}
.hint{color:var(--soft);margin:.15rem 0 .4rem}
input[type=text],textarea{font:inherit;color:inherit;background:var(--paper);border:2px solid var(--soft);border-radius:.4rem;padding:.55rem .7rem;width:100%;max-width:28rem}
textarea{max-width:46rem;min-height:6rem}
.buttons{display:flex;flex-wrap:wrap;gap:1rem;margin:1.5rem 0}
button{font:inherit;font-weight:700;padding:.75rem 1.6rem;border-radius:.4rem;border:2px solid;cursor:pointer;min-height:3rem}
.fold{margin:.5rem 0}.fold summary{cursor:pointer;font-weight:600;color:var(--accent);min-height:2rem}
.aside{margin:2rem 0;border-top:1px solid var(--line);padding-top:1rem}.aside form{border-top:0;margin-top:0}.aside summary{cursor:pointer;font-weight:600;color:var(--accent);min-height:2rem}
input[type=email],input[type=number]{font:inherit;color:inherit;background:var(--paper);border:2px solid var(--soft);border-radius:.4rem;padding:.55rem .7rem;width:100%;max-width:28rem}
.plain{background:var(--paper);border-color:var(--accent);color:var(--accent)}button:disabled{opacity:.55;cursor:not-allowed}
a.button{display:inline-block;padding:.75rem 1.6rem;border-radius:.4rem;font-weight:700;text-decoration:none}
figure{margin:1rem 0;max-width:46rem}figcaption{margin-bottom:.35rem}figcaption b{font-weight:600}
svg{display:block;width:100%;height:1.25rem;border-radius:.3rem}
svg .track{fill:var(--field)}svg .good{fill:var(--good)}svg .bad{fill:var(--bad)}svg .care{fill:var(--care)}svg .note{fill:var(--soft)}svg .line{stroke:var(--ink);stroke-width:.4}
.yes{background:var(--good);border-color:var(--good);color:var(--paper)}
.no{background:var(--paper);border-color:var(--bad);color:var(--bad)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.error{border:2px solid var(--bad);border-radius:.6rem;padding:.75rem 1.25rem;margin:1rem 0}
.error strong{color:var(--bad)}
footer{color:var(--soft);font-size:.9rem;margin-top:3rem;padding-bottom:2rem}
@media (max-width:40rem){h1{font-size:1.4rem}dl div{grid-template-columns:minmax(0,1fr);gap:0}dl{gap:.7rem}thead{position:absolute;left:-999rem}table,tbody,tr,th,td{display:block;width:100%}tr{border:1px solid var(--line);border-radius:.5rem;margin:.6rem 0;padding:.4rem .3rem}tr.care,tr.bad,tr.good{border-left-width:.3rem}tr.care{border-left-color:var(--care)}tr.bad{border-left-color:var(--bad)}tr.good{border-left-color:var(--good)}tr>:first-child{box-shadow:none!important}th,td{border:0;padding:.25rem .6rem}td::before{content:attr(data-label) ": ";color:var(--soft)}.buttons button{flex:1 1 100%}}
@media print{:root{color-scheme:light}form{border:0;margin:0;padding:0}form>:not(fieldset),.aside,.skip,a[href="#decide"]{display:none!important}fieldset{break-inside:avoid}details::details-content{display:block;content-visibility:visible}summary{list-style:none;break-after:avoid}tr{break-inside:avoid}h2,h3{break-after:avoid}}`

const hash = createHash('sha256').update(STYLE).digest('base64')

/** The page may use this style sheet and send its form home; nothing else: no script, no picture, no frame, no other host. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${hash}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), publickey-credentials-get=()',
  'cache-control': 'no-store',
  'x-robots-tag': 'noindex, nofollow',
}

/** Of a page that asks for a passkey: its one script, from ourselves, and the right to use passkeys. */
export const PASSKEY_HEADERS: Readonly<Record<string, string>> = {
  ...PAGE_HEADERS,
  'content-security-policy': `${PAGE_HEADERS['content-security-policy']}; script-src 'self'`,
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), publickey-credentials-get=(self), publickey-credentials-create=(self)',
}
