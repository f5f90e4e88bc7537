/**
 * Runs as one page that needs nothing else: no network (its policy forbids it), no script, no other file. The text of a
 * model is data, and escaped where it is written.
 */
import { createHash } from 'node:crypto';
import { escapeHtml } from '../search/page.ts';
import { chip, codebookGrid, steeredText, strip } from './action-parts.ts';
import { type Chart, lineChart, short } from './chart.ts';
import { findings } from './findings.ts';
import { endsOf, listIn, type MetricLine, numberIn, type RunRecord, type SampleLine } from './run-record.ts';
import { reportStyle } from './style.ts';

/** A prompt continued under different first actions. */
export interface Steering {
  readonly prompt: string;
  readonly ways: readonly {
    /** The action that was forced. */
    readonly action: number;
    /** What the policy gave it, 0..1. */
    readonly probability: number;
    readonly tokens: readonly string[];
    readonly actions: readonly number[];
  }[];
}

/** A figure before and after, that is in no run's measurements. */
export interface ExtraFigure {
  readonly name: string;
  /** By run: before and after; undefined where it was not measured. */
  readonly values: readonly (readonly [before: number, after: number] | undefined)[];
  readonly lowerIsBetter: boolean;
}

export interface Report {
  readonly title: string;
  /** One or two sentences below the title. */
  readonly summary?: string;
  readonly runs: readonly RunRecord[];
  readonly extra?: readonly ExtraFigure[];
  readonly steering?: Steering;
  /** Name and value of what else is to be known: device, versions. */
  readonly facts: readonly (readonly [name: string, value: string])[];
}

export function reportPage(report: Report): string {
  const style = `'sha256-${createHash('sha256').update(reportStyle).digest('base64')}'`;
  const policy = `default-src 'none'; style-src ${style}; base-uri 'none'; form-action 'none'`;
  const title = escapeHtml(report.title);
  const sections = [
    section('What was found', findingList(report)),
    section('Before and after', beforeAndAfter(report)),
    section('Curves', curves(report.runs)),
    section('Steered by three actions', steering(report)),
    section('Samples', samples(report.runs)),
    section('Codebook', codebooks(report.runs)),
    section('Settings', settings(report)),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${reportStyle}</style>
</head>
<body>
<header><h1>${title}</h1>${report.summary === undefined ? '' : `<p>${escapeHtml(report.summary)}</p>`}</header>
<main>
${sections.join('\n')}
</main>
</body>
</html>
`;
}

function section(title: string, content: string): string {
  if (content === '') return '';
  const id = title.toLowerCase().replace(/[^a-z]+/g, '-');
  return `<section aria-labelledby="${id}"><h2 id="${id}">${escapeHtml(title)}</h2>\n${content}\n</section>`;
}

function findingList({ runs, extra }: Report): string {
  const all = findings(runs, extra ?? []);
  return all.length === 0
    ? ''
    : `<ul class="findings">${all.map((text) => `<li>${escapeHtml(text)}</li>`).join('')}</ul>`;
}

/** Rows of the table: name in metrics, words, whether lower is better. */
const figures = [
  ['greedy_solved', 'solved, greedy', false],
  ['sampled_solved', 'solved, sampled (mean)', false],
  ['different_answers', 'different answers of the samples of a problem', false],
  ['held_out_answer_tokens', 'tokens in an answer', undefined],
  ['loss', 'loss (nats a token)', true],
  ['kl_token', 'KL of the next token from the start (nats)', undefined],
] as const;

function beforeAndAfter({ runs, extra = [] }: Report): string {
  const measured = runs.filter(({ measurements }) => measurements.length > 0);
  if (measured.length === 0) return '';
  const passes = passNames(measured.flatMap(({ measurements }) => measurements));
  const rows = [
    ...figures.slice(0, 2),
    ...passes.map(
      (name) => [name, `solved by one of ${name.slice('pass_at_'.length)} samples (pass@k)`, false] as const,
    ),
    ...figures.slice(2),
  ].flatMap(([name, words, lower]) => {
    const values = measured.map((run) => {
      const [before, after] = endsOf(run, name)?.map((line) => numberIn(line, name)) ?? [];
      return pair(before, after);
    });
    return values.every((value) => value === undefined) ? [] : [row(words, values, lower)];
  });
  const added = extra
    .filter(({ values }) => values.some((value) => value !== undefined))
    .map(({ name, values, lowerIsBetter }) =>
      row(
        name,
        measured.map((run) => values[runs.indexOf(run)]),
        lowerIsBetter,
      ),
    );
  // What stages without answers measure is in the curves.
  if (rows.length + added.length === 0) return '';
  const heads = measured.map(({ label }) => `<th colspan="2" class="n">${escapeHtml(label)}</th>`).join('');
  const under = measured.map(() => '<th class="n">before</th><th class="n">after</th>').join('');
  return `<div class="scroll"><table><thead><tr><th rowspan="2">figure</th>${heads}</tr><tr>${under}</tr></thead><tbody>${[...rows, ...added].join('')}</tbody></table></div><p><small>The better of the two in bold, where one is better.</small></p>`;
}

const pair = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined ? undefined : ([a, b] as const);

function row(
  words: string,
  values: readonly (readonly [number, number] | undefined)[],
  lower: boolean | undefined,
): string {
  const cells = values.map((value) => {
    if (value === undefined) return '<td class="n">–</td><td class="n">–</td>';
    const [before, after] = value;
    const gain = lower === undefined ? 0 : lower ? before - after : after - before;
    const cell = (x: number, better: boolean) => `<td class="n${better ? ' better' : ''}">${decimal(x)}</td>`;
    return cell(before, gain < 0) + cell(after, gain > 0);
  });
  return `<tr><th scope="row">${escapeHtml(words)}</th>${cells.join('')}</tr>`;
}

const decimal = (x: number) => (Math.abs(x) >= 10 ? x.toFixed(1) : x.toFixed(3));

/** The largest k of pass@k that all have. */
function passNames(lines: readonly MetricLine[]): string[] {
  const ks = lines.flatMap((line) => Object.keys(line).flatMap((name) => /^pass_at_(\d+)$/.exec(name)?.[1] ?? []));
  return ks.length === 0 ? [] : [`pass_at_${Math.max(...ks.map(Number))}`];
}

function curves(runs: readonly RunRecord[]): string {
  const series = (name: string, of: 'steps' | 'measurements') =>
    runs.flatMap((run) => {
      const points = run[of].flatMap((line) => {
        const y = numberIn(line, name);
        return y === undefined ? [] : [[line.step, y] as const];
      });
      return points.length === 0 ? [] : [{ label: run.label, points }];
    });
  const [pass] = passNames(runs.flatMap(({ measurements }) => measurements));
  const charts: Chart[] = [
    { title: 'Reward', unit: 'mean of the samples of a step', series: series('reward', 'steps') },
    {
      title: 'Solved, greedy',
      unit: 'share of held-out problems',
      series: series('greedy_solved', 'measurements'),
      range: [0, 1],
    },
    {
      title: 'Solved, sampled',
      unit: 'share of samples',
      series: series('sampled_solved', 'measurements'),
      range: [0, 1],
    },
    ...(pass === undefined
      ? []
      : [
          {
            title: `pass@${pass.slice('pass_at_'.length)}`,
            unit: 'share of held-out problems',
            series: series(pass, 'measurements'),
            range: [0, 1] as const,
          },
        ]),
    { title: 'Loss', unit: 'of an update', series: series('loss', 'steps') },
    { title: 'KL from the start', unit: 'nats an answer, over choices', series: series('kl', 'steps') },
    { title: 'Entropy', unit: 'nats a choice', series: series('entropy', 'steps') },
    { title: 'KL from the base', unit: 'nats, actions drawn', series: series('held_out_marginal_kl', 'measurements') },
    { title: 'Codes alive', unit: 'of argmax actions', series: series('held_out_alive', 'measurements') },
    { title: 'What an action says', unit: 'bits', series: series('held_out_bits', 'measurements') },
    {
      title: 'Forced codes named again',
      unit: 'share',
      series: series('held_out_recovered', 'measurements'),
      range: [0, 1],
    },
  ];
  const drawn = charts.map(lineChart).filter((chart) => chart !== '');
  return drawn.length === 0 ? '' : `<div class="charts">${drawn.join('\n')}</div>`;
}

function steering({ steering: shown, runs }: Report): string {
  if (shown === undefined) return '';
  const labels = runs.find(({ codes }) => codes !== undefined)?.labels ?? [];
  const rows = shown.ways.map(({ action, probability, tokens, actions }) => {
    const label = labels[action] ?? '';
    return `<tr><td>${chip(action, labels)} ${escapeHtml(label ?? '')}</td><td class="n">${(100 * probability).toFixed(1)} %</td><td>${strip(tokens, actions, labels)}</td></tr>`;
  });
  return `<p>The same beginning, with the first action forced; the policy chose the others.</p><pre>${escapeHtml(shown.prompt)}</pre><div class="scroll"><table><thead><tr><th>first action</th><th class="n">probability</th><th>continuation, with the action under each token</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

const shownSamples = 6;

/** The first and the last samples of every run. */
function samples(runs: readonly RunRecord[]): string {
  return runs
    .filter((run) => run.samples.length > 0)
    .map((run) => {
      const [first, last] = [run.samples[0].step, run.samples[run.samples.length - 1].step];
      const of = (step: number) => run.samples.filter((sample) => sample.step === step).slice(0, shownSamples);
      const parts = first === last ? [table(run, of(last))] : [table(run, of(first)), table(run, of(last))];
      return `<h3>${escapeHtml(run.label)}</h3>${parts.join('')}`;
    })
    .join('\n');
}

function table(run: RunRecord, shown: readonly SampleLine[]): string {
  const rows = shown.map(({ prompt, completion, actions, reward }) => {
    const text = steeredText(completion, actions, run.labels, run.tokenizer);
    const value = typeof reward === 'number' ? short(reward) : 'no score';
    return `<tr><td><code class="text">${escapeHtml(prompt.trim())}</code></td><td>${text}</td><td class="n">${value}</td></tr>`;
  });
  return `<div class="scroll"><table><caption class="soft">step ${shown[0]?.step ?? 0}</caption><thead><tr><th>prompt</th><th>answer</th><th class="n">reward</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

function codebooks(runs: readonly RunRecord[]): string {
  return runs
    .flatMap((run) => {
      const { codes } = run;
      const ends = codes === undefined ? undefined : usageOf(run, codes);
      if (ends === undefined) return [];
      const grid = codebookGrid(run.labels, ends[0], ends[1]);
      return [
        `<h3>${escapeHtml(run.label)}</h3><p>How often each latent action was taken ${ends[2]}: the grey bar before, the coloured one after.</p>${grid}`,
      ];
    })
    .join('\n');
}

/** Counts by code, at first and at last: on held-out problems where the run says so, else in its samples. */
function usageOf(
  { measurements, samples: all }: RunRecord,
  codes: number,
): [readonly number[], readonly number[], string] | undefined {
  const counted = measurements.flatMap((line) => listIn(line, 'usage') ?? []).length > 0;
  if (counted) {
    const lists = measurements.flatMap((line) => {
      const usage = listIn(line, 'usage');
      return usage === undefined ? [] : [usage];
    });
    return [lists[0], lists[lists.length - 1], 'on held-out problems'];
  }
  const steps = [...new Set(all.filter(({ actions }) => actions.length > 0).map(({ step }) => step))];
  if (steps.length === 0) return undefined;
  // A few samples a step: enough of them for a picture.
  const part = Math.max(1, Math.floor(steps.length / 4));
  const count = (chosen: readonly number[]) => {
    const counts = new Array<number>(codes).fill(0);
    for (const { step, actions } of all) if (chosen.includes(step)) for (const code of actions) counts[code]++;
    return counts;
  };
  return [
    count(steps.slice(0, part)),
    count(steps.slice(-part)),
    'in the samples of the first and the last quarter of the steps',
  ];
}

function settings({ runs, facts }: Report): string {
  const items = facts.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join('');
  const specs = runs.map(
    ({ label, id, specText, seconds, steps }) =>
      `<details><summary>${escapeHtml(label)}: run ${escapeHtml(id)}, ${steps.length} steps, ${seconds.toFixed(0)} s of steps</summary><pre>${escapeHtml(specText)}</pre></details>`,
  );
  return `<dl>${items}</dl>${specs.join('')}`;
}
