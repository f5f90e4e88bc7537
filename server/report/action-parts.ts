/** Latent actions in a report: chips, strips under texts, and the codebook as a grid. */

import type { Tokenizer } from '../model/tokenizer/tokenizer.ts';
import { hueOf } from '../protocol/figures/hue.ts';
import { escapeHtml } from '../search/page.ts';

/** One class a hue: the page's policy allows no style attributes. */
export const hueStyle = Array.from({ length: 64 }, (_, code) => {
  const { colour, ink } = hueOf(code);
  return `.h${code}{background:${colour};color:${ink}}`;
}).join('');

type Labels = readonly (string | null)[];

const named = (code: number, labels: Labels) => {
  const label = labels[code];
  return label === null || label === undefined ? `action ${code}` : `action ${code}, ${label}`;
};

/** The number of an action on its hue; hover says its name. */
export function chip(code: number, labels: Labels): string {
  const words = escapeHtml(named(code, labels));
  return `<span class="chip h${code % 64}" title="${words}" role="img" aria-label="${words}">${code}</span>`;
}

/** White space that would not be seen, as signs. */
const shownToken = (text: string) => escapeHtml(text.replaceAll('\n', '⏎').replaceAll('\t', '⇥').replaceAll(' ', '·'));

/** A text with each token over the action that led to it. */
export function strip(tokens: readonly string[], actions: readonly number[], labels: Labels): string {
  const cells = actions.map(
    (code, i) => `<span class="cell"><code>${shownToken(tokens[i] ?? '')}</code>${chip(code, labels)}</span>`,
  );
  return `<span class="strip">${cells.join('')}</span>`;
}

/**
 * The tokens of a completion, one an action: a last action that ended the answer has a token without text. Undefined where
 * the text does not fall into as many tokens.
 */
export function tokensOf(completion: string, actions: number, tokenizer: Tokenizer | undefined): string[] | undefined {
  if (tokenizer === undefined) return undefined;
  const ids = tokenizer.encode(completion, { addSpecialTokens: false });
  if (ids.length !== actions && ids.length + 1 !== actions) return undefined;
  const tokens = Array.from(ids, (id) => tokenizer.decode([id]));
  return ids.length === actions ? tokens : [...tokens, '■'];
}

/** A completion with its actions: under its tokens where they can be told, else in a row of their own. */
export function steeredText(
  completion: string,
  actions: readonly number[],
  labels: Labels,
  tokenizer: Tokenizer | undefined,
): string {
  if (actions.length === 0) return `<code class="text">${escapeHtml(completion)}</code>`;
  const tokens = tokensOf(completion, actions.length, tokenizer);
  if (tokens !== undefined) return strip(tokens, actions, labels);
  const chips = actions.map((code) => chip(code, labels)).join('');
  return `<code class="text">${escapeHtml(completion)}</code><span class="row">${chips}</span>`;
}

/**
 * All codes, eight in a row, with how often each was taken before and after.
 *
 * @param before, after counts by code; the bars are shares of the largest
 */
export function codebookGrid(labels: Labels, before: readonly number[], after: readonly number[]): string {
  const sum = (counts: readonly number[]) =>
    Math.max(
      1,
      counts.reduce((a, b) => a + b, 0),
    );
  const [totalBefore, totalAfter] = [sum(before), sum(after)];
  const top = Math.max(1e-9, ...before.map((n) => n / totalBefore), ...after.map((n) => n / totalAfter));
  const bar = (name: string, share: number) =>
    `<rect class="${name}" x="0" y="${name === 'was' ? 0 : 6}" width="${((100 * share) / top).toFixed(1)}" height="4"/>`;
  const cells = after.map((count, code) => {
    const [was, is] = [(before[code] ?? 0) / totalBefore, count / totalAfter];
    const words = escapeHtml(`${named(code, labels)}: ${percent(was)} before, ${percent(is)} after`);
    const label = labels[code];
    return `<li class="${is === 0 && was === 0 ? 'dead' : ''}" title="${words}">${chip(code, labels)} <span class="name">${escapeHtml(label ?? '')}</span><svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="${words}">${bar('was', was)}${bar('is', is)}</svg><small>${percent(was)} → ${percent(is)}</small></li>`;
  });
  return `<ol class="codebook">${cells.join('')}</ol>`;
}

export const percent = (share: number) => `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
