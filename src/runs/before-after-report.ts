/** The same prompts before and after a run, as a page to read. Knows nothing of the editor. */
import type { beforeAfter, ResultOf } from '../../server/protocol/index.ts';
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
      ? 'Prompts that the run held out, answered'
      : 'Beginnings of text that the run held out, continued';
  const first = before === null ? '' : ` by **${escaped(modelName(before))}**, the model before, and`;
  return [
    `# ${escaped(run)}: before and after`,
    `${what}${first} by the model of the run, each always taking its most likely choice (on ${escaped(device)}). ${rows.length} ${rows.length === 1 ? 'prompt is' : 'prompts are'} for reading, too few to measure: "CoLA: Evaluate…" measures.`,
    ...(before === null ? ['The run made its model from nothing, so there is none before it.'] : []),
    ...totals(compared),
    ...rows.map((row, i) => section(row, i, compared)),
    `Model after: ${escaped(after)}`,
  ].join('\n\n');
}

function totals({ rows, solvedAt, before }: Compared): string[] {
  if (solvedAt === null) {
    const same = rows.filter((row) => row.before?.text === row.after.text).length;
    return before === null ? [] : [`The two differ in ${rows.length - same} of ${rows.length}.`];
  }
  const solved = (answers: readonly (Answer | null)[]) =>
    answers.filter((answer) => answer?.reward != null && answer.reward >= solvedAt).length;
  const now = `${solved(rows.map((row) => row.after))} of ${rows.length} solved after`;
  return [
    before === null ? `${now}.` : `${solved(rows.map((row) => row.before))} of ${rows.length} solved before, ${now}.`,
  ];
}

function section({ prompt, before, after }: ComparedRow, index: number, { kind, solvedAt }: Compared): string {
  const given = `## ${index + 1}\n\n${pre(prompt.trim())}`;
  const cells: readonly (readonly [string, Answer])[] = [
    ...(before === null ? [] : [['Before', before] as const]),
    ['After', after],
  ];
  // Blank lines would end the block of HTML; there are none in it.
  const heads = cells.map(([name, answer]) => `<th align="left" width="50%">${name}${verdict(answer, solvedAt)}</th>`);
  const bodies = cells.map(
    ([, { text }]) => `<td valign="top" width="50%">${pre(kind === 'answers' ? text.trim() : text)}</td>`,
  );
  const same = before !== null && before.text === after.text ? '\n\nBoth write the same.' : '';
  return `${given}\n\n<table width="100%"><tr>${heads.join('')}</tr><tr>${bodies.join('')}</tr></table>${same}`;
}

function verdict({ reward }: Answer, solvedAt: number | null): string {
  if (solvedAt === null) return '';
  if (reward === null) return ' · no score';
  return ` · ${reward >= solvedAt ? '✓ solved' : '✗ not solved'}, reward ${figure(reward)}`;
}

/** Text as it is, lines kept; in one line of Markdown. */
function pre(text: string): string {
  if (text === '') return '<em>nothing</em>';
  const safe = escaped(text.replaceAll('\r', '')).replaceAll(/\s/g, (c) => (c === ' ' ? ' ' : `&#${c.charCodeAt(0)};`));
  return `<pre style="white-space: pre-wrap; overflow-wrap: anywhere">${safe}</pre>`;
}
