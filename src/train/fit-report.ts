/** What a run takes, as Markdown. Knows nothing of the editor. */
import { type fitSpec, type ResultOf, type SpecTime, timeText } from '../../server/protocol/index.ts';
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
      ? `Whether ${name} fits is not known: ${source}. It takes **${gigabytes(most)}** at its largest.`
      : fits === true
        ? `${name} **fits**: it takes ${gigabytes(most)} at its largest, and ${gigabytes(free)} are free.`
        : `${name} **does not fit**: it takes ${gigabytes(most)} at its largest, and ${gigabytes(free)} are free.`;
  const rows = parts.map(({ what, bytes }) => [
    what,
    gigabytes(bytes),
    ...(free === null ? [] : [bytes <= free ? 'fits' : 'too much']),
  ]);
  const table = markdownTable([['part', 'memory', ...(free === null ? [] : [''])], ...rows]);
  const remedy =
    fits === false
      ? '\n\nSmaller `batch`, `group`, `length` or `max_new` take less; `accumulate` cuts a batch into parts and changes nothing else, and `checkpoint: blocks` takes time instead of memory.'
      : '';
  return `# Will it fit\n\n${verdict}\n\n${table}\n\nFree: ${source}. Weights, gradients, moments and activations are counted.${remedy}\n${timePart(time)}`;
}

const sources: Readonly<Record<SpecTime['source'], string>> = {
  runs: 'By what stages of these sizes took in earlier runs here.',
  trial: 'By the first steps, taken just now beside whatever else this machine does.',
};

function timePart(time: SpecTime | string | null): string {
  if (time === null) return '';
  const title = '\n# How long it takes\n\n';
  if (typeof time === 'string') return `${title}Not known: ${escaped(time)}\n`;
  const rows = time.stages.map((stage) => [escaped(stage.name), timeText(stage)]);
  const measures = 'The measures at the end of the run (`evaluate`) are not in it.';
  return `${title}**${timeText(time)}**. ${sources[time.source]} ${measures}\n\n${markdownTable([['stage', 'time'], ...rows])}\n`;
}
