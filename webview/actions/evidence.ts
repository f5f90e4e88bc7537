/** What is known of one action: which tokens it stands for, when it fires, what it changes, and which are near it. */
import type { ActionProfile, ActionsFile } from '../../server/protocol/actions.ts';
import { hueOf } from '../../server/protocol/figures/hue.ts';
import { actionChip, percent, visibleToken } from '../ui/actions.ts';
import { h } from '../ui/elements.ts';
import { forcingWords, usageWords } from './profile-list.ts';

/** Tokens and contexts that are shown of an action. */
const mostEvidence = 12;

/** What is known of an action, part by part. @param choose shows another action */
export function evidenceFor(
  profile: ActionProfile,
  { file, labels }: { readonly file: ActionsFile | null; readonly labels: readonly (string | null)[] },
  choose: (action: number) => void,
): (HTMLElement | false)[] {
  const { tokens, contexts, examples, forced, near } = profile;
  const typical = new Map(file?.actions.map(({ code, tokens: [first] }) => [code, first?.text]));
  const nearest = near.map(({ code, cosine }) =>
    h(
      'li',
      {},
      h(
        'button',
        { class: 'near', title: `Show action ${code}`, on: { click: () => choose(code) } },
        actionChip({ action: code, label: labels[code], token: typical.get(code) }, { label: true }),
      ),
      h('span', { class: 'soft number' }, `cosine ${cosine.toFixed(2)}`),
    ),
  );
  return [
    h('p', { class: 'soft' }, usageWords(profile)),
    tokens.length > 0 && evidenceOf('Tokens it stands for', 'token', tokens),
    contexts.length > 0 && evidenceOf('What stands before them', 'before', contexts),
    examples.length > 0 &&
      h(
        'section',
        {},
        h('h3', {}, 'When it fires'),
        ...examples.map(({ before, token, after }) =>
          h(
            'pre',
            { class: 'example' },
            h('span', { class: 'soft' }, before),
            h('mark', { style: { '--hue': hueOf(profile.code).colour } }, token),
            h('span', { class: 'soft' }, after),
          ),
        ),
      ),
    h(
      'section',
      {},
      h('h3', {}, 'Forced against its will'),
      h('p', {}, forcingWords(profile, file?.measured.prompts ?? 0)),
      ...forced.samples.map(({ prompt, free, forced: text, random }) =>
        h(
          'div',
          { class: 'forcing' },
          h('pre', { class: 'soft' }, prompt),
          h('div', { class: 'forcing-row' }, h('span', { class: 'soft' }, 'free'), h('pre', {}, free)),
          h(
            'div',
            { class: 'forcing-row' },
            actionChip({ action: profile.code, label: labels[profile.code] }),
            h('pre', {}, text),
          ),
          h(
            'div',
            { class: 'forcing-row' },
            h(
              'span',
              { class: 'forcing-random' },
              actionChip({ action: random.code, label: labels[random.code] }),
              h('span', { class: 'soft' }, 'random'),
            ),
            h('pre', {}, random.text),
          ),
        ),
      ),
    ),
    nearest.length > 0 &&
      h('section', {}, h('h3', {}, 'Nearest in the codebook'), h('ul', { class: 'nearest' }, ...nearest)),
  ];
}

/** Texts with their lift as bars; the numbers stand beside them. */
function evidenceOf(
  title: string,
  what: string,
  list: readonly { readonly text: string; readonly share: number; readonly lift: number }[],
): HTMLElement {
  const shown = list.slice(0, mostEvidence);
  const most = Math.max(...shown.map(({ lift }) => lift), 1);
  const rows = shown.map(({ text, share, lift }) =>
    h(
      'tr',
      {},
      h('td', { class: 'code evidence-text' }, visibleToken(text)),
      h('td', { class: 'number' }, percent(share)),
      h('td', { class: 'number' }, `× ${lift >= 10 ? lift.toFixed(0) : lift.toFixed(1)}`),
      h(
        'td',
        { class: 'evidence-bar', 'aria-hidden': 'true' },
        h('span', { style: { width: `${(100 * lift) / most}%` } }),
      ),
    ),
  );
  const head = h(
    'tr',
    {},
    h('th', { scope: 'col' }, what),
    h('th', { class: 'number', scope: 'col' }, 'share'),
    h('th', { class: 'number', scope: 'col', title: 'How many times as often as elsewhere' }, 'lift'),
    h('th', {}),
  );
  return h(
    'section',
    {},
    h('h3', {}, title),
    h('table', { class: 'evidence' }, h('thead', {}, head), h('tbody', {}, ...rows)),
  );
}
