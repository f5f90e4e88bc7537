/** An evaluation as Markdown. Knows nothing of the editor. */
import { type evaluate, type Measure, measures, type ResultOf } from '../../server/protocol/index.ts';
import { escaped, markdownTable } from '../markdown.ts';

export type Evaluated = ResultOf<typeof evaluate>;

export const measureNotes: Readonly<Record<Measure, string>> = {
  accuracy: 'Right answers to held-out prompts',
  'pass@k': 'Prompts solved by one of k samples',
  diversity: 'How different continuations of one text are',
  forgetting: 'What the model lost against the one it was tuned from',
  marginal: 'Whether the actions together still make the base model',
  codebook: 'How many latent actions are alive, and how much they say',
  cost: 'What the training took',
  search: 'What search finds beside sampling, at the same number of tokens; takes long',
  choice: 'What there is to choose from at a cursor, beside what the base offers without actions; takes long',
  agent: 'What the model gets done in the environment of its run, beside who knows how and chance',
};

/** The figures of an evaluation, by measure. */
export function evaluationReport(name: string, { model, against, device, decoding, rows, skipped }: Evaluated): string {
  const sections = measures.flatMap((each) => {
    const own = rows.filter(({ measure: of }) => of === each);
    if (own.length === 0) return [];
    const table = markdownTable([['figure', 'value'], ...own.map((row) => [row.name.replaceAll('_', ' '), row.value])]);
    return [`## ${each}\n\n${measureNotes[each]}.\n\n${table}`];
  });
  const left = skipped.map(({ measure: of, reason }) => `- ${of}: ${escaped(reason)}`);
  const head = [
    `Model: ${escaped(model)}`,
    ...(against === null ? [] : [`Compared with: ${escaped(against)}`]),
    `Answers with ${decoding === 'actions' ? 'latent actions' : 'tokens'}, measured on ${escaped(device)}. ± is the standard deviation over seeds, their number in brackets.`,
  ];
  return [
    `# Evaluation of ${escaped(name)}`,
    head.join('  \n'),
    ...sections,
    ...(left.length === 0 ? [] : [`## Not taken\n\n${left.join('\n')}`]),
  ].join('\n\n');
}
