/** Style of a report. It stands in the page as it is here, and the page's policy allows nothing else. */
import { hueStyle } from './action-parts.ts';

export const reportStyle = `
:root{color-scheme:light dark;--text:#1f2328;--ground:#fff;--raised:#f6f8fa;--soft:#59636e;--line:#d1d9e0;--s0:#0757ba;--s1:#b3480a;--s2:#1a7f37;--s3:#8250df}
@media (prefers-color-scheme:dark){:root{--text:#e6edf3;--ground:#0d1117;--raised:#161b22;--soft:#9198a1;--line:#3d444d;--s0:#6cb6ff;--s1:#ff9a4d;--s2:#57c26b;--s3:#c297ff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76em;padding:1.5em 1.25em 4em;font:16px/1.55 system-ui,sans-serif;color:var(--text);background:var(--ground)}
h1{font-size:1.6em;line-height:1.25;margin:0 0 .2em}h2{font-size:1.2em;margin:2.2em 0 .6em;padding-bottom:.25em;border-bottom:1px solid var(--line)}h3{font-size:1em;margin:1.4em 0 .4em}
p{max-width:46em;margin:.5em 0}small,.soft{color:var(--soft)}
code,pre{font:.92em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{background:var(--raised);border:1px solid var(--line);border-radius:6px;padding:.8em;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.15em 1.2em;margin:.6em 0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:.35em .8em;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}td.n,th.n{text-align:right;white-space:nowrap}thead th{color:var(--soft);font-weight:600}td.better{font-weight:600}
.findings{padding-left:1.2em;max-width:48em}.findings li{margin:.3em 0}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(20em,1fr));gap:1em}
.chart{margin:0;padding:.7em .8em;border:1px solid var(--line);border-radius:8px;background:var(--raised);min-width:0}.chart svg:not(.key){width:100%;height:auto;display:block}
.grid{stroke:var(--line);stroke-width:1}.tick{fill:var(--soft);font:11px system-ui,sans-serif}
.line{fill:none;stroke-width:2;stroke-linejoin:round}.line.s0{stroke:var(--s0)}.line.s1{stroke:var(--s1);stroke-dasharray:7 4}.line.s2{stroke:var(--s2);stroke-dasharray:2 3}.line.s3{stroke:var(--s3);stroke-dasharray:9 3 2 3}
.dot.s0{fill:var(--s0)}.dot.s1{fill:var(--s1)}.dot.s2{fill:var(--s2)}.dot.s3{fill:var(--s3)}
.legend{list-style:none;margin:.3em 0 0;padding:0;display:flex;flex-wrap:wrap;gap:.1em 1.1em;font-size:.9em}.key{width:2em;height:.7em;margin-right:.4em;vertical-align:middle}
.chip{display:inline-block;min-width:1.9em;padding:0 .25em;border-radius:4px;font:600 .72em/1.5 ui-monospace,monospace;text-align:center}
.strip{display:inline-flex;flex-wrap:wrap;gap:.35em .12em}.cell{display:inline-flex;flex-direction:column;align-items:stretch;min-width:1.4em}.cell code{white-space:pre;text-align:center}.row{display:flex;flex-wrap:wrap;gap:2px;margin-top:3px}
.text{white-space:pre-wrap;overflow-wrap:anywhere}
.codebook{list-style:none;margin:0;padding:0;display:grid;grid-template-columns:repeat(8,minmax(0,1fr));gap:.4em}.codebook li{border:1px solid var(--line);border-radius:6px;padding:.35em .45em;font-size:.82em;min-width:0;background:var(--raised)}.codebook .name{display:block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.codebook svg{display:block;width:100%;height:.8em;margin-top:.2em}.codebook .dead{border-style:dashed;color:var(--soft)}.was{fill:var(--soft)}.is{fill:var(--s0)}
@media (max-width:56em){.codebook{grid-template-columns:repeat(4,minmax(0,1fr))}}
summary{cursor:pointer}summary:focus-visible{outline:2px solid var(--s0);outline-offset:2px}
@media print{details{display:none}body{max-width:none}}
${hueStyle}`;
