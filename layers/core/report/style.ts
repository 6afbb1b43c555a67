/** One sheet for screen, phone, dark rooms and paper, which holds what a screen folds. No font, picture or script is loaded from anywhere. */
export const STYLE = `
:root{color-scheme:light dark;--paper:#f4f2ec;--card:#fffdf8;--ink:#1b232d;--soft:#5a6470;--line:#dcd7ca;--good:#14693f;--good-bg:#e0f0e4;--bad:#a8201a;--bad-bg:#fbe3df;--warn:#855300;--warn-bg:#fbedc9;--none:#59616b;--none-bg:#e6e4de;--accent:#1d4f7c;--cell:#a9cdb4;--track:#e9e5da;--edge:#1b232d30}
@media screen and (prefers-color-scheme:dark){:root{--paper:#12161b;--card:#1a2027;--ink:#e8e6df;--soft:#a0a9b3;--line:#303943;--good:#7fd6a2;--good-bg:#163526;--bad:#ff9d92;--bad-bg:#46201d;--warn:#f2c46d;--warn-bg:#3d2e0f;--none:#aab2bb;--none-bg:#29313a;--accent:#8fc1ee;--cell:#2f6b48;--track:#28303a;--edge:#000000a0}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:68rem;margin:0 auto;padding:1.5rem 1.25rem 4rem}
h1{font-size:1.75rem;line-height:1.2;margin:.1rem 0 .4rem;letter-spacing:-.015em;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.6rem 0 .8rem;letter-spacing:-.01em}
h3{font-size:1rem;margin:1.4rem 0 .5rem}
p{margin:.4rem 0}
a{color:var(--accent)}
.soft{color:var(--soft)}
.small{font-size:.875rem}
.kicker{font-size:.78rem;letter-spacing:.09em;text-transform:uppercase;color:var(--soft);margin:0;font-weight:600}
code,.digest{font:.84em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.name{overflow-wrap:anywhere}
pre{background:var(--track);padding:.8rem 1rem;border-radius:.5rem;overflow-x:auto;font-size:.82rem}
.slip{background:var(--card);border:1px solid var(--line);border-radius:.9rem;overflow:hidden;margin-top:1rem}
.verdict{display:grid;grid-template-columns:auto 1fr;gap:1.25rem;align-items:center;padding:1.5rem}
.verdict.good{background:var(--good-bg)}.verdict.bad{background:var(--bad-bg)}.verdict.warn{background:var(--warn-bg)}
.stamp{width:5.2rem;height:5.2rem;flex:none}
.verdict.good .stamp,.verdict.good strong{color:var(--good)}.verdict.bad .stamp,.verdict.bad strong{color:var(--bad)}.verdict.warn .stamp,.verdict.warn strong{color:var(--warn)}
.verdict strong{display:block;font-size:1.65rem;line-height:1.2;letter-spacing:-.015em}
.verdict p{margin:.3rem 0 0;max-width:46rem}
.facts{display:grid;grid-template-columns:repeat(4,1fr);border-top:1px dashed var(--line)}
.facts div{padding:1rem 1.25rem;border-left:1px dashed var(--line)}
.facts div:first-child{border-left:0}
.facts b{display:block;font-size:1.35rem;letter-spacing:-.01em;font-variant-numeric:tabular-nums;line-height:1.3}
.results{display:grid;grid-template-columns:repeat(4,1fr);gap:.8rem}
.result{background:var(--card);border:1px solid var(--line);border-radius:.8rem;padding:1rem 1.1rem;border-top:.3rem solid var(--none)}
.result.pass{border-top-color:var(--good)}.result.fail{border-top-color:var(--bad)}.result.inconclusive{border-top-color:var(--warn)}
.result h3{margin:0 0 .35rem}
.result p{font-size:.9rem}
.mark{display:inline-block;padding:.05rem .55rem;border-radius:1rem;font-size:.8rem;font-weight:650;white-space:nowrap;background:var(--none-bg);color:var(--none)}
.mark.pass{background:var(--good-bg);color:var(--good)}.mark.fail{background:var(--bad-bg);color:var(--bad)}.mark.warn,.mark.inconclusive{background:var(--warn-bg);color:var(--warn)}
.mark.none{background:repeating-linear-gradient(135deg,var(--none-bg) 0 .3rem,transparent .3rem .6rem);border:1px dashed var(--none);font-weight:500}
.card{background:var(--card);border:1px solid var(--line);border-radius:.8rem;padding:1.1rem 1.25rem;margin:.8rem 0}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.8rem;background:linear-gradient(90deg,var(--card) 40%,transparent) 0 0/2.5rem 100% no-repeat local,linear-gradient(270deg,var(--card) 40%,transparent) 100% 0/2.5rem 100% no-repeat local,linear-gradient(90deg,var(--edge),transparent) 0 0/.9rem 100% no-repeat scroll,linear-gradient(270deg,var(--edge),transparent) 100% 0/.9rem 100% no-repeat scroll,var(--card)}
.scroll::before{content:"Scroll sideways for all columns \\2192";position:sticky;left:0;width:max-content;display:none;padding:.35rem .8rem;font-size:.8rem;color:var(--soft)}
@media screen and (max-width:46rem){.scroll::before{display:block}}
@supports (animation-timeline:scroll()){.scroll::before{display:block;visibility:hidden;height:0;padding-block:0;animation:more linear both;animation-timeline:scroll(inline)}@keyframes more{from,to{visibility:visible;height:1.9rem;padding-block:.35rem}}}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{padding:.5rem .8rem;text-align:left;vertical-align:top;border-top:1px solid var(--line)}
thead th{border-top:0;font-size:.8rem;color:var(--soft);font-weight:600;white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.wide{min-width:16rem}
td .name{overflow-wrap:break-word}
td .digest,td.digest{min-width:13rem;display:inline-block}
td.digest{display:table-cell}
svg{display:block}
.card h3:first-child{margin-top:0}
.map{display:grid;grid-template-columns:repeat(auto-fill,.95rem);gap:2px;margin:.5rem 0 .6rem}
.map i{height:.95rem;border-radius:.18rem;background:var(--cell)}
.map i.d{background:var(--bad)}
.map i.u{background:repeating-linear-gradient(135deg,var(--none-bg) 0 .2rem,transparent .2rem .4rem);outline:1px dashed var(--none);outline-offset:-1px}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;font-size:.85rem;color:var(--soft);margin-top:.6rem}
.legend i{display:inline-block;width:.8rem;height:.8rem;border-radius:.2rem;margin-right:.4rem;vertical-align:-.08rem}
.bars{display:grid;grid-template-columns:minmax(9rem,auto) 1fr auto;gap:.45rem .9rem;align-items:center;font-size:.9rem}
.track{position:relative;height:.9rem;background:var(--track);border-radius:.45rem;overflow:hidden}
.track.tall{height:1.5rem}
.track i{position:absolute;inset:0 auto 0 0;background:var(--accent);border-radius:.45rem 0 0 .45rem;min-width:0}
.track i.bad{background:var(--bad)}
.track i.good{background:var(--good)}
.track i.warn{background:var(--warn)}
.row{display:contents}
.value{text-align:left}
.track s{position:absolute;top:0;bottom:0;width:2px;background:var(--ink);opacity:.55}
.track.none{background:repeating-linear-gradient(135deg,var(--none-bg) 0 .35rem,transparent .35rem .7rem);outline:1px dashed var(--none);outline-offset:-1px}
.axis{position:relative;height:1.5rem;font-size:.78rem;color:var(--soft)}
.axis span{position:absolute;transform:translateX(-50%);white-space:nowrap}
.axis span:first-child{transform:none}.axis span.end{transform:translateX(-100%)}
.n{font-variant-numeric:tabular-nums}
ul{padding-left:1.2rem;margin:.4rem 0}
summary{cursor:pointer;font-weight:600}
footer{margin-top:3rem;border-top:1px dashed var(--line);padding-top:1rem}
@media (max-width:46rem){main{padding:1rem .8rem 3rem}h1{font-size:1.4rem}.facts,.results{grid-template-columns:1fr 1fr}.facts div{border-top:1px dashed var(--line)}.facts div:nth-child(-n+2){border-top:0}.facts div:nth-child(odd){border-left:0}.facts div{padding:.8rem 1rem}.verdict{grid-template-columns:auto 1fr;gap:.9rem;padding:1.1rem 1rem}.stamp{width:3.4rem;height:3.4rem;align-self:start}.verdict strong{font-size:1.3rem}.bars{display:block}.row{display:grid;grid-template-columns:1fr auto;gap:.15rem .7rem;grid-template-areas:"label value" "track track";margin-bottom:.7rem;align-items:baseline}.row>.label{grid-area:label}.row>.value{grid-area:value;text-align:right}.row>.track,.row>.axis{grid-area:track}.card{padding:1rem}.facts b{font-size:1.15rem}}
@media (max-width:23rem){.results{grid-template-columns:1fr}}
@media print{:root{color-scheme:light;--paper:#fff;--card:#fff}body{font-size:11px}main{max-width:none;padding:0}h2{break-after:avoid}.slip,.result,.card,tr{break-inside:avoid}.scroll{overflow:visible;background:none}.scroll::before{display:none!important}pre{white-space:pre-wrap}details::details-content{display:block;content-visibility:visible}details.card{break-inside:auto}summary{list-style:none;break-after:avoid}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
@page{margin:16mm}
`
