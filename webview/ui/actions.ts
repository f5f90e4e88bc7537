/** The face of a latent action: number, label and hue, as a chip, and as a strip under the text it produced. */
import { hueOf } from '../../server/protocol/figures/hue.ts';
import { h } from './elements.ts';

/** What is known about an action where it stands; hover says it. */
export interface ActionFace {
  readonly action: number;
  readonly label?: string | null | undefined;
  /** Of being chosen there, 0 to 1. */
  readonly probability?: number | undefined;
  /** The action that was next most probable. */
  readonly runnerUp?: { readonly action: number; readonly probability: number } | undefined;
  /** The token's text it led to. */
  readonly token?: string | undefined;
}

/** A share in per cent, as it is read at a glance. */
export function percent(share: number): string {
  const value = 100 * share;
  if (value > 0 && value < 0.01) return '<0.01 %';
  return `${value >= 1 || value === 0 ? value.toFixed(0) : Number(value.toPrecision(1))} %`;
}

/** One sentence: number, label, probability, runner-up. */
export function actionWords({ action, label, probability, runnerUp, token }: ActionFace): string {
  const words = [`action ${action}`];
  if (label) words.push(label);
  if (probability !== undefined) words.push(percent(probability));
  if (runnerUp !== undefined) words.push(`next ${runnerUp.action} at ${percent(runnerUp.probability)}`);
  if (token !== undefined) words.push(`leads to ${JSON.stringify(token)}`);
  return words.join(', ');
}

/** The number on its hue; with `label`, the label beside it. */
export function actionChip(face: ActionFace, { label = false }: { readonly label?: boolean } = {}): HTMLElement {
  const words = actionWords(face);
  const number = chip(face, words);
  if (label && !face.label && face.token?.trim()) {
    return h(
      'span',
      { class: 'action', title: words },
      h('span', { class: 'action-label' }, `"${face.token.trim()}"`),
      number,
    );
  }
  if (!label || !face.label) return number;
  return h('span', { class: 'action', title: words }, number, h('span', { class: 'action-label' }, face.label));
}

function chip({ action }: ActionFace, words: string): HTMLElement {
  const { colour, ink } = hueOf(action);
  const style = { '--hue': colour, '--ink': ink };
  return h('span', { class: 'action-chip', title: words, role: 'img', 'aria-label': words, style }, action);
}

/**
 * The row of actions that made a text, one chip a token.
 *
 * @param most chips; from there on a number says how many more there are
 */
export function actionStrip(faces: readonly ActionFace[], most = 64): HTMLElement {
  const shown = faces.slice(0, most);
  const rest = faces.length - shown.length;
  const label = `actions ${shown.map(({ action }) => action).join(' ')}`;
  return h(
    'span',
    { class: 'action-strip', role: 'group', 'aria-label': label },
    ...shown.map((face) => chip(face, actionWords(face))),
    rest > 0 && h('span', { class: 'action-rest' }, `+${rest}`),
  );
}

/** A text with each token over the action that led to it. */
export function strippedText(faces: readonly (ActionFace & { readonly token: string })[]): HTMLElement {
  const cells = faces.map((face) =>
    h(
      'span',
      { class: 'token' },
      h('span', { class: 'token-text' }, visibleToken(face.token)),
      chip(face, actionWords(face)),
    ),
  );
  return h('div', { class: 'stripped-text' }, ...cells);
}

/** White space that would not be seen, as signs. */
export function visibleToken(token: string): string {
  return token.replaceAll('\n', '⏎').replaceAll('\t', '⇥').replaceAll(' ', '·');
}
