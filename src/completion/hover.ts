/** Latent actions as Markdown: the strip of a text, and all about one token. */
import { MarkdownString } from 'vscode';
import { hueOf } from '../../server/protocol/figures/hue.ts';
import type { ActionToken } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';
import { commandLink, escaped } from '../markdown.ts';
import { oneLine, percent } from './words.ts';

/** A chip in the colour of the action, with its number. */
function chip(action: number): string {
  const { colour, ink } = hueOf(action);
  return `<span style="color:${ink};background-color:${colour};">&nbsp;${action}&nbsp;</span>`;
}

/** The number with its label; without one what it wrote, and its number behind it. */
function face(action: number, label: string | null, wrote: string): string {
  if (label !== null) return `${chip(action)} **${escaped(label)}**`;
  const text = oneLine(wrote, 24);
  return text === '' ? chip(action) : `**${escaped(`"${text}"`)}** ${chip(action)}`;
}

/** The actions of a text, in its order. */
export function strip(tokens: readonly ActionToken[], most = 32): string {
  const chips = tokens.slice(0, most).map(({ action }) => chip(action));
  return chips.join(' ') + (tokens.length > most ? ' …' : '');
}

/** Number, label, probability and runner-up of a token, the strip of the tokens around it, and what can be done. */
export function aboutToken(token: ActionToken, around: readonly ActionToken[]): MarkdownString {
  const { action, label, probability, runnerUp } = token;
  const text = new MarkdownString('', true);
  text.supportHtml = true;
  text.isTrusted = { enabledCommands: ['cola.showActions', 'cola.pinAction', 'cola.banAction'] };
  text.appendMarkdown(`${face(action, label, token.text)} · ${percent(probability)}`);
  if (runnerUp !== null) {
    text.appendMarkdown(
      ` — ${t('else')} ${face(runnerUp.action, runnerUp.label, '')} · ${percent(runnerUp.probability)}`,
    );
  }
  if (token.files === true) text.appendMarkdown(`\n\n${t('As in other files of the folder')}`);
  text.appendMarkdown(`\n\n${strip(around)}\n\n`);
  text.appendMarkdown(
    [
      commandLink(t('Open its page'), 'cola.showActions', { action }),
      commandLink(t('Pin'), 'cola.pinAction', { action }),
      commandLink(t('Ban'), 'cola.banAction', { action }),
    ].join(' · '),
  );
  return text;
}
