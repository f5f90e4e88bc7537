/** An evaluation as Markdown. Knows nothing of the editor. */
import { type evaluate, type Measure, measures, type ResultOf } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';
import { escaped, markdownTable } from '../markdown.ts';

export type Evaluated = ResultOf<typeof evaluate>;

export const measureNotes: Readonly<Record<Measure, string>> = {
  accuracy: t('Right answers to held-out prompts'),
  'pass@k': t('Prompts solved by one of k samples'),
  diversity: t('How different continuations of one text are'),
  forgetting: t('What the model lost against the one it was tuned from'),
  marginal: t('Whether the actions together still make the base model'),
  codebook: t('How many latent actions are alive, and how much they say'),
  cost: t('What the training took'),
  search: t('What search finds beside sampling, at the same number of tokens; takes long'),
  choice: t('What there is to choose from at a cursor, beside what the base offers without actions; takes long'),
  agent: t('What the model gets done in the environment of its run, beside who knows how and chance'),
};

/** The figures of an evaluation, by measure. */
export function evaluationReport(name: string, { model, against, device, decoding, rows, skipped }: Evaluated): string {
  const sections = measures.flatMap((each) => {
    const own = rows.filter(({ measure: of }) => of === each);
    if (own.length === 0) return [];
    const table = markdownTable([
      [t('figure'), t('value')],
      ...own.map((row) => [row.name.replaceAll('_', ' '), row.value]),
    ]);
    return [`## ${each}\n\n${measureNotes[each]}.\n\n${table}`];
  });
  const left = skipped.map(({ measure: of, reason }) => `- ${of}: ${escaped(reason)}`);
  const head = [
    t('Model: {0}', escaped(model)),
    ...(against === null ? [] : [t('Compared with: {0}', escaped(against))]),
    t(
      'Answers with {0}, measured on {1}. ± is the standard deviation over seeds, their number in brackets.',
      decoding === 'actions' ? t('latent actions') : t('tokens'),
      escaped(device),
    ),
  ];
  return [
    `# ${t('Evaluation of {0}', escaped(name))}`,
    head.join('  \n'),
    ...sections,
    ...(left.length === 0 ? [] : [`## ${t('Not taken')}\n\n${left.join('\n')}`]),
  ].join('\n\n');
}
