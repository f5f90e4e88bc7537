/** Style and script of the page of a search. Both stand in it as they are here, and its policy allows nothing else. */

export const pageStyle = `
:root{color-scheme:light dark;--text:#1f2328;--ground:#fff;--soft:#59636e;--line:#d1d9e0;--mark:#fff3c4;--focus:#0969da}
@media (prefers-color-scheme:dark){:root{--text:#e6edf3;--ground:#0d1117;--soft:#9198a1;--line:#3d444d;--mark:#3a2f0b;--focus:#4493f8}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:90em;padding:1em;font:15px/1.5 system-ui,sans-serif;color:var(--text);background:var(--ground)}
h1{font-size:1.3em}h2{font-size:1.05em}
main{display:grid;grid-template-columns:minmax(0,2fr) minmax(16em,1fr);gap:1.5em}
@media (max-width:50em){main{grid-template-columns:minmax(0,1fr)}}
aside{position:sticky;top:0;align-self:start;max-height:100vh;overflow:auto}
ul[role=tree]{list-style:none;margin:0;padding:0;overflow-x:auto}
[role=treeitem]{padding:.1em .4em;border-radius:4px;cursor:default;white-space:nowrap}
[role=treeitem]:focus{outline:2px solid var(--focus);outline-offset:-2px}
[role=treeitem][aria-expanded=true]::before{content:"\\25be  "}
[role=treeitem][aria-expanded=false]::before{content:"\\25b8  "}
[hidden]{display:none}
.principal{background:var(--mark)}
q{quotes:none;font-family:ui-monospace,monospace;unicode-bidi:isolate;overflow-wrap:anywhere}
small{color:var(--soft);white-space:pre}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.15em 1em;margin:0}
dt{color:var(--soft)}dd{margin:0;font-family:ui-monospace,monospace;overflow-wrap:anywhere;unicode-bidi:isolate}
ol{padding-left:2em}
input{width:5em;font:inherit}
`;

export const pageScript = `'use strict';
(() => {
  const nodes = JSON.parse(document.getElementById('data').textContent);
  const rows = Array.from(document.querySelectorAll('[role=treeitem]'));
  const panel = document.getElementById('details');
  const fold = document.getElementById('fold');
  const children = nodes.map(() => []);
  nodes.forEach(({ up }, i) => { if (up >= 0) children[up].push(i); });
  let open = [];
  let at = 0;

  const draw = () => {
    const seen = [];
    nodes.forEach(({ up }, i) => {
      seen[i] = up < 0 || (seen[up] && open[up]);
      rows[i].hidden = !seen[i];
      if (children[i].length > 0) rows[i].setAttribute('aria-expanded', String(open[i]));
    });
    let nearest = at;
    while (!seen[nearest]) nearest = nodes[nearest].up;
    if (nearest !== at) choose(nearest);
  };
  const choose = (i) => {
    rows[at].tabIndex = -1;
    rows[at].setAttribute('aria-selected', 'false');
    at = i;
    rows[at].tabIndex = 0;
    rows[at].setAttribute('aria-selected', 'true');
    const items = [];
    for (const [name, value] of nodes[at].facts) {
      const term = document.createElement('dt');
      term.textContent = name;
      const text = document.createElement('dd');
      text.textContent = value;
      items.push(term, text);
    }
    panel.replaceChildren(...items);
  };
  const go = (i) => {
    if (i === undefined || i < 0) return;
    choose(i);
    rows[i].focus();
  };
  const sibling = (by) => {
    const { up } = nodes[at];
    return up < 0 ? -1 : children[up][children[up].indexOf(at) + by];
  };
  const toggle = (i) => {
    if (children[i].length === 0) return;
    open[i] = !open[i];
    draw();
  };
  const keys = {
    ArrowLeft: () => go(nodes[at].up),
    ArrowRight: () => {
      if (children[at].length === 0) return;
      if (!open[at]) toggle(at);
      go(children[at][0]);
    },
    ArrowUp: () => go(sibling(-1)),
    ArrowDown: () => go(sibling(1)),
    Home: () => go(0),
    Enter: () => toggle(at),
    ' ': () => toggle(at),
  };
  const refold = () => {
    const least = Number(fold.value);
    open = nodes.map(({ N, keep }) => keep || N >= least);
    draw();
  };
  rows.forEach((row, i) => {
    row.addEventListener('click', () => go(i));
    row.addEventListener('dblclick', () => toggle(i));
    row.addEventListener('keydown', (event) => {
      const act = keys[event.key];
      if (act === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      act();
    });
  });
  fold.addEventListener('input', refold);
  refold();
  choose(0);
})();
`;
