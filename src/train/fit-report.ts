/** What a run takes, as Markdown. Knows nothing of the editor. */
import { type fitSpec, type ResultOf, type SpecTime, timeText } from '../../server/protocol/index.ts';
import { t } from '../l10n.ts';
import { escaped, markdownTable } from '../markdown.ts';
import { gigabytes } from '../status-text.ts';

/** The most each part takes, against what is free, and how long the stages take. @param time or why it is not known */
export function fitReport(
  file: string,
  { parts, free, fits, source: place }: ResultOf<typeof fitSpec>,
  time: SpecTime | string | null = null,
): string {
  const name = escaped(file);
  const source = escaped(place);
  const most = Math.max(0, ...parts.map(({ bytes }) => bytes));
  const verdict =
    free === null
      ? t('Whether {0} fits is not known: {1}. It takes **{2}** at its largest.', name, source, gigabytes(most))
      : fits === true
        ? t('{0} **fits**: it takes {1} at its largest, and {2} are free.', name, gigabytes(most), gigabytes(free))
        : t(
            '{0} **does not fit**: it takes {1} at its largest, and {2} are free.',
            name,
            gigabytes(most),
            gigabytes(free),
          );
  const rows = parts.map(({ what, bytes }) => [
    what,
    gigabytes(bytes),
    ...(free === null ? [] : [bytes <= free ? t('fits') : t('too much')]),
  ]);
  const table = markdownTable([[t('part'), t('memory'), ...(free === null ? [] : [''])], ...rows]);
  const remedy =
    fits === false
      ? `\n\n${t('Smaller `batch`, `group`, `length` or `max_new` take less; `accumulate` cuts a batch into parts and changes nothing else, and `checkpoint: blocks` takes time instead of memory.')}`
      : '';
  return `# ${t('Will it fit')}\n\n${verdict}\n\n${table}\n\n${t('Free: {source}. Weights, gradients, moments and activations are counted.', { source })}${remedy}\n${timePart(time)}`;
}

const sources: Readonly<Record<SpecTime['source'], string>> = {
  runs: t('By what stages of these sizes took in earlier runs here.'),
  trial: t('By the first steps, taken just now beside whatever else this machine does.'),
};

function timePart(time: SpecTime | string | null): string {
  if (time === null) return '';
  const title = `\n# ${t('How long it takes')}\n\n`;
  if (typeof time === 'string') return `${title}${t('Not known: {0}', escaped(time))}\n`;
  const rows = time.stages.map((stage) => [escaped(stage.name), timeText(stage)]);
  const measures = t('The measures at the end of the run (`evaluate`) are not in it.');
  return `${title}**${timeText(time)}**. ${sources[time.source]} ${measures}\n\n${markdownTable([[t('stage'), t('time')], ...rows])}\n`;
}
