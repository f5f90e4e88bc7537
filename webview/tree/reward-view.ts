/** The reward of an answer as the inspector shows it: a bar of what it is made of, and every number by its name. */
import type { OneSimulation } from '../../server/protocol/index.ts';
import { h } from '../ui/elements.ts';
import { type Explained, explain, type Term } from './reward-parts.ts';
import { figure } from './words.ts';

const charts = ['blue', 'orange', 'green', 'purple', 'yellow', 'red'];
const colourOf = (term: number) => `var(--chart-${charts[term % charts.length]})`;

/**
 * @param spec the reward as a run spec has it
 * @param judged what the text is called
 */
export function rewardView(
  { reward, parts, noScore, text }: OneSimulation,
  spec: unknown,
  judged: string,
): HTMLElement[] {
  if (noScore !== null) return [h('h2', {}, 'Reward'), h('p', {}, `No score: ${noScore}`)];
  if (reward === null) return [];
  const explained = explain(reward, parts, spec);
  return [
    h('h2', { class: 'number' }, `Reward ${figure(reward)}`),
    ...shares(explained.terms),
    table(explained),
    h('details', {}, h('summary', {}, judged), h('pre', { class: 'judged' }, text)),
  ];
}

/** Lengths are what each term adds; hatched where it takes away. One term alone would be a bar that says nothing. */
function shares(terms: readonly Term[]): HTMLElement[] {
  if (terms.length < 2 || terms.every(({ adds }) => adds === 0)) return [];
  const pieces = terms.map(({ adds }, i) =>
    h('i', { class: adds < 0 ? 'minus' : '', style: { flex: Math.abs(adds), '--part': colourOf(i) } }),
  );
  return [h('div', { class: 'parts', 'aria-hidden': 'true' }, ...pieces)];
}

function table({ terms, measured }: Explained): HTMLElement {
  const row = (term: Term, i: number) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row', class: terms.length < 2 ? '' : 'keyed', style: { '--part': colourOf(i) } }, term.name),
      h('td', { class: 'number soft' }, term.weight === 1 ? '' : `${figure(term.value)} × ${trimmed(term.weight)}`),
      h('td', { class: 'number' }, figure(term.adds)),
    );
  return h(
    'table',
    { class: 'reward-table number', 'aria-label': 'Parts of the reward' },
    h('tbody', {}, ...terms.map(row)),
    measured.length > 0 &&
      h(
        'tbody',
        { class: 'soft' },
        h('tr', {}, h('th', { colspan: 3 }, terms.length > 0 ? 'Measured beside it' : 'Measured of the answer')),
        ...measured.map(({ name, value }) =>
          h('tr', {}, h('th', { scope: 'row' }, name), h('td', {}), h('td', { class: 'number' }, figure(value))),
        ),
      ),
  );
}

/** A weight as it was written, without digits that say nothing. */
const trimmed = (weight: number) => String(Number(weight.toPrecision(3))).replace('-', '−');
