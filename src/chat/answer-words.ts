/** An answer with the latent actions behind it, as Markdown. Knows nothing of the editor. */
import type { Alternative } from '../../server/protocol/index.ts';
import { actionName, oneLine, percent } from '../completion/words.ts';
import { t } from '../l10n.ts';
import { commandLink, escaped } from '../markdown.ts';

/** Tokens whose actions are shown: an answer may have hundreds. */
const longestStrip = 60;

const subscript = (n: number) => String.fromCodePoint(...[...String(n)].map((digit) => 0x2080 + Number(digit)));

/** A piece of text as code, its blanks visible. VS Code's chat takes no colours. */
function code(text: string): string {
  const shown = text.replaceAll(' ', '·').replaceAll(/\r?\n/g, '⏎').replaceAll('\t', '→');
  const fence = '`'.repeat(1 + Math.max(0, ...(shown.match(/`+/g) ?? []).map((run) => run.length)));
  return fence.length === 1 ? `${fence}${shown}${fence}` : `${fence} ${shown} ${fence}`;
}

/** What each token wrote, with its latent action at its foot. */
export function stripMarkdown({ tokens }: Alternative): string {
  const cells = tokens.slice(0, longestStrip).map(({ action, text }) => `${code(text)}${subscript(action)}`);
  const more = tokens.length > longestStrip ? ` … ${t('{0} more', tokens.length - longestStrip)}` : '';
  return `**${t('Actions')}** ${cells.join(' ')}${more}`;
}

/** The other answers, by the action that each begins with; a link takes one of them. Empty where there is no other. */
export function alternativesMarkdown(alternatives: readonly Alternative[]): string {
  const rows = alternatives.slice(1).map(({ text, tokens: [first], source }) => {
    const { action = 0, label = null, probability = 0 } = first ?? {};
    const take =
      source === undefined
        ? ''
        : ` ${commandLink(t('Take'), 'cola.judgeAnswer', { verdict: 'taken', completion: source.completion, index: source.index })}`;
    return `- **${escaped(actionName(action, label))}** ${percent(probability)} ${escaped(oneLine(text, 160))}${take}`;
  });
  return rows.length === 0 ? '' : `**${t('Other beginnings')}**\n\n${rows.join('\n')}`;
}
