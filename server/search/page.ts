/**
 * A saved search as one page that needs nothing else: no network (its policy forbids it), no other file. The text of
 * the model is data: it is escaped where it is written, and shown as text content where the page's script shows it.
 */
import { createHash } from 'node:crypto';
import { edgeFigures, mostVisited, type OutlineNode, outline, principalVariation, quoted, visible } from './outline.ts';
import { pageScript, pageStyle } from './page-parts.ts';
import type { SearchSnapshot } from './snapshot.ts';

export interface PageOptions {
  readonly title: string;
  /** What else is to be known, such as the best answer: name and value. */
  readonly facts?: readonly (readonly [name: string, value: string])[];
  /** Text of tokens. */
  readonly text: (tokens: readonly number[]) => string;
  /** What was said to the turn that leads to a node, in a search over turns. */
  readonly heard?: (node: number) => string | undefined;
  /** Most nodes on the page; the most visited ones are taken. */
  readonly nodes?: number;
  /** Branches with fewer visits are folded at first. */
  readonly foldBelow?: number;
}

/** Text as the content of an element or of a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** JSON that can stand in a script element: no tag begins or ends in it. */
function inlineJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

const sha256 = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** The whole page, light or dark as the reader has it. */
export function searchPage(snapshot: SearchSnapshot, options: PageOptions): string {
  const nodes = outline(snapshot);
  const order = preorder(nodes, mostVisited(nodes, options.nodes ?? 5000));
  const principal = new Set(principalVariation(nodes));
  const fold = options.foldBelow ?? 2;
  const style = `${pageStyle}${indents(order.reduce((most, { depth }) => Math.max(most, depth), 0))}`;
  const policy = `default-src 'none'; script-src ${sha256(pageScript)}; style-src ${sha256(style)}; base-uri 'none'; form-action 'none'`;
  const title = escapeHtml(visible(options.title));
  const left = nodes.length - order.length;
  const rest = left === 0 ? '' : `<p>${left} nodes with the fewest visits are left out.</p>`;
  const rows = order.map((node, i) => row(node, i, principal.has(node.id), options.text)).join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${title}</h1>
${list(options.facts ?? [])}
<h2>Principal variation</h2>
${variation(nodes, [...principal], options.text)}
</header>
<main>
<section>
<h2 id="tree">Tree</h2>
<p><label>Fold branches below <input id="fold" type="number" min="0" value="${fold}"> visits</label></p>
<p>Arrow keys: left to the parent, right to the most visited child, up and down among siblings; Enter folds.</p>
${rest}
<ul role="tree" aria-labelledby="tree">
${rows}
</ul>
</section>
<aside aria-live="polite"><h2>Node</h2><dl id="details"></dl></aside>
</main>
<footer>
<h2>Settings</h2>
${list(settings(snapshot))}
</footer>
<script type="application/json" id="data">${inlineJson(details(snapshot, order, principal, options))}</script>
<script>${pageScript}</script>
</body>
</html>
`;
}

/** Parents before children, the most visited child first. */
function preorder(nodes: readonly OutlineNode[], shown: ReadonlySet<number>): OutlineNode[] {
  const order: OutlineNode[] = [];
  const stack = [0];
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    order.push(nodes[id]);
    stack.push(...nodes[id].children.filter((child) => shown.has(child)).reverse());
  }
  return order;
}

/** Depth as a class: the policy allows no style attributes. Beyond 60 the tree grows no wider. */
function indents(deepest: number): string {
  return Array.from({ length: Math.min(60, deepest) + 1 }, (_, d) => `.d${d}{padding-left:${d * 1.1 + 0.4}em}`).join(
    '',
  );
}

function row(node: OutlineNode, index: number, principal: boolean, text: PageOptions['text']): string {
  const name =
    node.parent < 0 ? '<b>prompt</b>' : `${actionOf(node)}<q>${escapeHtml(quoted(text(node.tokens), 60))}</q>`;
  const sign = principal ? '<i title="principal variation">&#187;</i> ' : '';
  const kind = `d${Math.min(60, node.depth)}${principal ? ' principal' : ''}`;
  const focus = index === 0 ? 0 : -1;
  return `<li role="treeitem" aria-level="${node.depth + 1}" tabindex="${focus}" class="${kind}">${sign}${name} <small>${edgeFigures(node)}</small></li>`;
}

const actionOf = ({ actions }: OutlineNode) => (actions.length === 0 ? '' : `<b>${actions[0]}</b> `);

function variation(nodes: readonly OutlineNode[], path: readonly number[], text: PageOptions['text']): string {
  if (path.length === 0) return '<p>None yet.</p>';
  const steps = path.map((id) => {
    const { actions, tokens } = nodes[id];
    const named = actions.length === 0 ? '' : `<b>${actions.join(' ')}</b> `;
    return `<li>${named}<q>${escapeHtml(quoted(text(tokens)))}</q></li>`;
  });
  return `<ol>${steps.join('')}</ol>`;
}

function list(facts: readonly (readonly [string, string])[]): string {
  const items = facts.map(
    ([name, value]) => `<dt>${escapeHtml(visible(name))}</dt><dd>${escapeHtml(visible(value))}</dd>`,
  );
  return `<dl>${items.join('')}</dl>`;
}

function settings({ options, spent, num_codes: codes, prompt }: SearchSnapshot): (readonly [string, string])[] {
  const value = (of: unknown) => (typeof of === 'object' ? JSON.stringify(of) : String(of));
  return [
    ...Object.entries(options).map(([name, of]) => [name, value(of)] as const),
    ['latent actions', String(codes)],
    ['prompt', `${prompt.length} tokens`],
    ['spent', `${spent.simulations} simulations, ${spent.tokens} generated tokens, ${spent.seconds.toFixed(2)} s`],
  ];
}

/** What the page's script shows of each node, as texts that are safe to read. */
function details(
  snapshot: SearchSnapshot,
  order: readonly OutlineNode[],
  principal: ReadonlySet<number>,
  { text, heard }: PageOptions,
): unknown[] {
  const places = new Map(order.map(({ id }, i) => [id, i]));
  const first = new Map<number, SearchSnapshot['simulations'][number]>();
  for (const simulation of snapshot.simulations) {
    if (!first.has(simulation.node)) first.set(simulation.node, simulation);
  }
  const before: number[][] = [];
  return order.map((node, i) => {
    const up = node.parent < 0 ? -1 : (places.get(node.parent) ?? -1);
    const response = up < 0 ? [] : [...before[up], ...node.tokens];
    before[i] = response;
    const simulation = first.get(node.id);
    const answer = simulation === undefined ? undefined : quoted(text([...response, ...simulation.tokens]));
    const given: readonly (readonly [string, string | number | null | undefined])[] = [
      ['node', node.id],
      ['actions', node.actions.join(' ')],
      ['text', node.parent < 0 ? undefined : quoted(text(node.tokens))],
      ['what was said to it', quotedIf(heard?.(node.id))],
      ['so far', node.parent < 0 ? undefined : quoted(text(response))],
      ['N', node.N],
      ['Q', node.Q],
      ['P', node.P],
      ['V', node.V],
      ['best reward below', node.best],
      ["a person's score", node.score],
      ['state', (['terminal', 'banned', 'forced', 'unscored'] as const).filter((name) => node[name]).join(', ')],
      ['principal variation', principal.has(node.id) ? 'yes' : undefined],
      ['its answer', answer],
      ['reward', simulation?.reward],
      ...Object.entries(simulation?.parts ?? {}).map(([name, part]) => [`reward: ${visible(name)}`, part] as const),
      ['no score', simulation?.no_score === null ? undefined : visible(simulation?.no_score ?? '')],
    ];
    const facts = given.flatMap(([name, value]) =>
      value === null || value === undefined || value === '' ? [] : [[name, String(value)] as const],
    );
    return { up, N: node.N, keep: node.parent < 0 || principal.has(node.id), facts };
  });
}

const quotedIf = (text: string | undefined) => (text === undefined ? undefined : quoted(text));
