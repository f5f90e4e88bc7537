/** Evaluations side by side, with the spread over the models of a column, and as a table for a person. */
import { measureNames } from '../spec/schema.ts';
import { type Figure, summarise } from '../train/measures/figures.ts';
import { type Comparison, type Evaluation, evaluationVersion, type MeasureName } from './report.ts';

export interface LabelledEvaluation {
  /** Evaluations with the same label are models of one method, trained with different seeds. */
  readonly label: string;
  readonly evaluation: Evaluation;
}

/**
 * One column a label, in the order of their first appearance. With one model in a column its figures stand as they are,
 * with mean and spread over the seeds of the measurement; with several the mean of each model is one value, so that the
 * spread is that of training.
 */
export function compareEvaluations(all: readonly LabelledEvaluation[]): Comparison {
  const labels = [...new Set(all.map(({ label }) => label))];
  const columns = labels.map((label) => ({
    label,
    evaluations: all.filter((entry) => entry.label === label).map((entry) => entry.evaluation),
  }));
  const rows = measureNames.flatMap((measure) =>
    namesOf(measure, all).map((name) => ({
      measure,
      name,
      values: columns.map(({ evaluations }) => pooled(measure, name, evaluations)),
    })),
  );
  return { version: evaluationVersion, columns, rows };
}

function namesOf(measure: MeasureName, all: readonly LabelledEvaluation[]): string[] {
  return [...new Set(all.flatMap(({ evaluation }) => Object.keys(evaluation.results[measure] ?? {})))];
}

function pooled(measure: MeasureName, name: string, evaluations: readonly Evaluation[]): Figure | null {
  const figures = evaluations.flatMap(({ results }) => results[measure]?.[name] ?? []);
  if (figures.length === 0) return null;
  return figures.length === 1 ? figures[0] : summarise(figures.map(({ mean }) => mean));
}

/** `0.553 ± 0.012 (3)`: mean, standard deviation, number of values. */
export function formatFigure(value: Figure | null): string {
  if (value === null) return '-';
  const digits = Number.isInteger(value.mean)
    ? 0
    : Math.abs(value.mean) >= 100
      ? 1
      : Math.abs(value.mean) >= 10
        ? 2
        : 3;
  const mean = value.mean.toFixed(value.spread === null ? digits : Math.max(digits, 3));
  return value.spread === null ? mean : `${mean} ± ${value.spread.toFixed(3)} (${value.n})`;
}

/** Lines of cells: a heading, then a figure a line with its measure before it. */
export function comparisonTable({ columns, rows }: Comparison): string[][] {
  const heading = ['measure', 'figure', ...columns.map(({ label }) => label)];
  return [heading, ...rows.map(({ measure, name, values }) => [measure, name, ...values.map(formatFigure)])];
}

/** Cells as lines of text with columns of equal width. */
export function tableText(cells: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of cells) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return cells
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
