/** `cola score`: how well a base model predicts a file. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { scoreFile } from '../../evaluate/score.ts';
import { loadBase } from '../named-model.ts';
import {
  count,
  type DeviceOption,
  type JsonOption,
  openChosen,
  type PrecisionOption,
  withDevice,
  withExamples,
  withJson,
  withPrecision,
} from '../options.ts';
import type { Session } from '../session.ts';

type Options = JsonOption &
  DeviceOption &
  PrecisionOption & { readonly model: string; readonly length?: number; readonly stride?: number };

export function addScore(program: Command, session: Session): void {
  const command = program
    .command('score')
    .description('Measure loss, perplexity and bits per byte of a text file, or of the rows of a .jsonl file.')
    .argument('<file>', 'text, or JSON lines with text, prompt and response, or messages')
    .requiredOption('--model <folder>', 'model folder, a run, or builtin:nano')
    .option('--length <tokens>', "tokens in a window (default: the model's context)", count)
    .option('--stride <tokens>', 'how far a window moves; less than the length gives every token more to go by', count);
  withExamples(withPrecision(withDevice(withJson(command)), 'f32'), [
    'score README.md --model builtin:nano',
    'score answers.jsonl --model models/qwen --length 512 --stride 128 --json',
  ]).action((file: string, options: Options) =>
    session.perform(options.json === true, async (output) => {
      const model = await loadBase(options.model, session.cwd, output, options.precision);
      const device = await openChosen(options, output);
      try {
        const progress = output.startProgress('tokens');
        const score = await scoreFile(device, model, resolve(session.cwd, file), {
          ...(options.length === undefined ? {} : { length: options.length }),
          ...(options.stride === undefined ? {} : { stride: options.stride }),
          signal: session.signal,
          onProgress: (tokens) => progress.update(tokens),
        });
        output.table([
          ['tokens', String(score.tokens)],
          ['loss', score.loss.toFixed(4), 'nats a token'],
          ['perplexity', score.perplexity.toFixed(3)],
          ...(score.bitsPerByte === undefined ? [] : [['bits per byte', score.bitsPerByte.toFixed(4)]]),
        ]);
        return { value: score, ok: true };
      } finally {
        await device.dispose();
      }
    }),
  );
}
