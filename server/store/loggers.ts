/**
 * Metrics as other tools read them, beside metrics.jsonl, which stays the only record that counts: every file here is made of it
 * anew when a run goes on, and then gets each line as it comes. So a run that was killed has the files of one that was not.
 */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../files/atomic.ts';
import { appendText } from '../files/open.ts';
import { readable } from '../files/place.ts';
import { storeErrors as errors } from './errors.ts';
import { type MetricLine, scalarsOf } from './metric-names.ts';
import { scalarRecord, versionRecord } from './tensorboard.ts';

export const loggerNames = ['tensorboard', 'csv'] as const;
export type LoggerName = (typeof loggerNames)[number];

interface Format {
  /** @param began when the run began, in seconds since 1970 */
  readonly file: (began: number) => string;
  readonly head: (began: number) => Uint8Array;
  /** @param wallTime in seconds since 1970 */
  readonly line: (line: MetricLine, wallTime: number) => Uint8Array;
}

/** Text of a cell, which a spreadsheet takes for no formula. */
const cell = (value: unknown) => {
  const text = String(value ?? '').replace(/^(?=[=+\-@\t\r])/, "'");
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

const formats: Readonly<Record<LoggerName, Format>> = {
  tensorboard: {
    file: (began) => `events.out.tfevents.${Math.floor(began)}.cola`,
    head: versionRecord,
    line: (line, wallTime) => scalarRecord({ wallTime, step: line.step, values: scalarsOf(line) }),
  },
  csv: {
    file: () => 'metrics.csv',
    head: () => Buffer.from('step,stage,name,value\n'),
    line: (line) =>
      Buffer.from(
        scalarsOf(line)
          .map(([name, value]) => `${line.step},${cell(line.stage)},${cell(name)},${value}\n`)
          .join(''),
      ),
  },
};

export class Loggers {
  private readonly files: readonly { readonly format: Format; readonly path: string }[];
  private readonly began: number;
  /** Seconds of the lines so far: files do not depend on how often the run was interrupted. */
  private spent = 0;

  /** @param folder of the run */
  constructor(folder: string, names: readonly LoggerName[]) {
    // A frozen spec never changes.
    this.began = lstatSync(join(folder, 'spec.yaml')).mtimeMs / 1000;
    this.files = [...new Set(names)].map((name) => {
      const format = formats[name];
      return { format, path: join(folder, format.file(this.began)) };
    });
  }

  /** Makes the files of all lines so far. @throws ColaError store.cannotWrite, files.* */
  async begin(lines: readonly MetricLine[]): Promise<void> {
    const parts = this.files.map(({ format }) => [format.head(this.began)]);
    for (const line of lines) {
      const at = this.timeOf(line);
      for (const [i, { format }] of this.files.entries()) parts[i].push(format.line(line, at));
    }
    for (const [i, { path }] of this.files.entries()) {
      try {
        await writeFileAtomic(path, Buffer.concat(parts[i]));
      } catch (error) {
        throw readable(error, (cause) => errors.cannotWrite(path, cause));
      }
    }
  }

  /** @throws ColaError store.cannotWrite, files.* */
  append(line: MetricLine): void {
    const at = this.timeOf(line);
    for (const { format, path } of this.files) {
      try {
        appendText(path, format.line(line, at));
      } catch (error) {
        throw readable(error, (cause) => errors.cannotWrite(path, cause));
      }
    }
  }

  private timeOf(line: MetricLine): number {
    if (typeof line.seconds === 'number') this.spent += line.seconds;
    return this.began + this.spent;
  }
}
