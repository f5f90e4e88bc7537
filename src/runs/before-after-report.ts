/** The same prompts before and after a run, as a page to read. Knows nothing of the editor. */
import type { beforeAfter, ResultOf } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';
import { escaped } from '../markdown.ts';
import { figure, modelName } from '../status-text.ts';

export type Compared = ResultOf<typeof beforeAfter>;
type ComparedRow = Compared['rows'][number];
type Answer = ComparedRow['after'];

/** Two columns for every prompt, and above them what they come to. */
export function beforeAfterReport(run: string, compared: Compared): string {
  const { before, after, device, kind, rows } = compared;
  const what =
    kind === 'answers'
      ? t('Prompts that the run held out, answered')
      : t('Beginnings of text that the run held out, continued');
  const who =
    before === null
      ? t('by the model of the run')
      : t('by **{0}**, the model before, and by the model of the run', escaped(modelName(before)));
  const given = { what, who, device: escaped(device) };
  const how = t('{what} {who}, each always taking its most likely choice (on {device}).', given);
  const number = rows.length === 1 ? t('1 prompt is') : t('{0} prompts are', rows.length);
  return [
    `# ${t('{0}: before and after', escaped(run))}`,
    `${how} ${t('{number} for reading, too few to measure: "CoLA: Evaluate…" measures.', { number })}`,
    ...(before === null ? [t('The run made its model from nothing, so there is none before it.')] : []),
    ...totals(compared),
    ...rows.map((row, i) => section(row, i, compared)),
    t('Model after: {0}', escaped(after)),
  ].join('\n\n');
}

function totals({ rows, solvedAt, before }: Compared): string[] {
  if (solvedAt === null) {
    const same = rows.filter((row) => row.before?.text === row.after.text).length;
    return before === null ? [] : [t('The two differ in {0} of {1}.', rows.length - same, rows.length)];
  }
  const solved = (answers: readonly (Answer | null)[]) =>
    answers.filter((answer) => answer?.reward != null && answer.reward >= solvedAt).length;
  const now = t('{0} of {1} solved after', solved(rows.map((row) => row.after)), rows.length);
  return [
    before === null
      ? `${now}.`
      : t('{0} of {1} solved before, {2}.', solved(rows.map((row) => row.before)), rows.length, now),
  ];
}

function section({ prompt, before, after }: ComparedRow, index: number, { kind, solvedAt }: Compared): string {
  const given = `## ${index + 1}\n\n${pre(prompt.trim())}`;
  const cells: readonly (readonly [string, Answer])[] = [
    ...(before === null ? [] : [[t('Before'), before] as const]),
    [t('After'), after],
  ];
  // Blank lines would end the block of HTML; there are none in it.
  const heads = cells.map(([name, answer]) => `<th align="left" width="50%">${name}${verdict(answer, solvedAt)}</th>`);
  const bodies = cells.map(
    ([, { text }]) => `<td valign="top" width="50%">${pre(kind === 'answers' ? text.trim() : text)}</td>`,
  );
  const same = before !== null && before.text === after.text ? `\n\n${t('Both write the same.')}` : '';
  return `${given}\n\n<table width="100%"><tr>${heads.join('')}</tr><tr>${bodies.join('')}</tr></table>${same}`;
}

function verdict({ reward }: Answer, solvedAt: number | null): string {
  if (solvedAt === null) return '';
  if (reward === null) return ` · ${t('no score')}`;
  return ` · ${reward >= solvedAt ? t('✓ solved, reward {0}', figure(reward)) : t('✗ not solved, reward {0}', figure(reward))}`;
}

/** Text as it is, lines kept; in one line of Markdown. */
function pre(text: string): string {
  if (text === '') return `<em>${t('nothing')}</em>`;
  const safe = escaped(text.replaceAll('\r', '')).replaceAll(/\s/g, (c) => (c === ' ' ? ' ' : `&#${c.charCodeAt(0)};`));
  return `<pre style="white-space: pre-wrap; overflow-wrap: anywhere">${safe}</pre>`;
}
