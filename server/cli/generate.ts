/** `cola generate`: continues a text with a base model. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { loadChatTemplate } from '../model/chat.ts';
import { generate } from '../model/generate.ts';
import { baseStepper, type LanguageModel } from '../model/language-model.ts';
import { modelErrors } from '../model/model-errors.ts';
import { StreamDecoder } from '../model/tokenizer.ts';
import { cliErrors } from './errors.ts';
import type { Output } from './io.ts';
import {
  count,
  type DeviceOption,
  integer,
  type JsonOption,
  loadBase,
  natural,
  openChosen,
  positive,
  share,
  withDevice,
  withExamples,
  withJson,
} from './options.ts';
import type { Session } from './session.ts';

type Options = JsonOption &
  DeviceOption & {
    readonly model: string;
    readonly prompt?: string;
    readonly promptFile?: string;
    readonly chat?: string;
    readonly ids?: string;
    readonly maxNew: number;
    readonly temperature: number;
    readonly topK: number;
    readonly topP: number;
    readonly seed: number;
    readonly n: number;
  };

export function addGenerate(program: Command, session: Session): void {
  const command = program
    .command('generate')
    .description('Continue a text, or answer a message.')
    .requiredOption('--model <folder>', 'model folder, or builtin:nano')
    .option('--prompt <text>', 'text to continue')
    .option('--prompt-file <file>', 'file with the text to continue')
    .option('--chat <text>', "message to answer, through the model's chat template")
    .option('--ids <list>', 'token ids to continue, with commas, for models without a tokenizer')
    .option('--max-new <count>', 'most new tokens', count, 64)
    .option('--temperature <number>', '0 always takes the most likely token', positive, 0)
    .option('--top-k <count>', 'only the k most likely tokens; 0 for all', natural, 0)
    .option('--top-p <share>', 'only the most likely tokens that together reach p; 1 for all', share, 1)
    .option('--seed <number>', 'seed of the sampling', integer, 7)
    .option('--n <count>', 'number of samples', count, 1);
  withExamples(withDevice(withJson(command)), [
    'generate --model builtin:nano --prompt "export function "',
    'generate --model models/qwen --chat "Name three primes." --temperature 0.7 --n 4',
    'generate --model test/fixtures/hf/qwen3 --ids 5,17,3 --max-new 8 --json',
  ]).action((options: Options) => session.perform(options.json === true, (output) => run(options, output, session)));
}

async function run(options: Options, output: Output, session: Session) {
  const model = await loadBase(options.model, session.cwd, output);
  const prompt = promptIds(options, model, session.cwd);
  const device = await openChosen(options, output);
  const stepper = baseStepper(device, model);
  try {
    const stream = streamTo(options, model, output);
    const started = performance.now();
    const { temperature, topK, topP, seed, maxNew } = options;
    const samples = await generate(stepper, model, new Array<Int32Array>(options.n).fill(prompt), {
      maxNewTokens: maxNew,
      sampling: { temperature, topK, topP },
      seed,
      signal: session.signal,
      ...(stream === undefined ? {} : { onToken: stream.push }),
    });
    const seconds = (performance.now() - started) / 1000;
    if (stream !== undefined) stream.end();
    else {
      for (const [i, sample] of samples.entries()) {
        if (samples.length > 1) output.line(`--- ${i + 1} of ${samples.length}`);
        output.line(sample.text ?? sample.ids.join(','));
      }
    }
    const tokens = samples.reduce((sum, { ids }) => sum + ids.length, 0);
    output.note(`${tokens} tokens in ${seconds.toFixed(2)} s, ${(tokens / seconds).toFixed(1)} a second`);
    const value = samples.map(({ ids, text, finish }) => ({ text: text ?? null, ids: [...ids], finish }));
    return { value: { prompt: [...prompt], samples: value, tokens, seconds }, ok: true };
  } finally {
    await stepper.dispose();
    await device.dispose();
  }
}

/** A single sample is written as it comes. */
function streamTo({ n }: Options, { tokenizer, endIds }: LanguageModel, output: Output) {
  if (n > 1 || output.json || tokenizer === undefined) return undefined;
  const decoder = new StreamDecoder(tokenizer, { skipSpecialTokens: true, continuation: true });
  return {
    push: (_row: number, id: number) => {
      if (!endIds.has(id)) output.write(decoder.push([id]));
    },
    end: () => output.line(decoder.flush()),
  };
}

function promptIds({ prompt, promptFile, chat, ids }: Options, model: LanguageModel, cwd: string): Int32Array {
  if ([prompt, promptFile, chat, ids].filter((given) => given !== undefined).length !== 1) throw cliErrors.onePrompt();
  if (ids !== undefined) return parseIds(ids);
  const { tokenizer, folder } = model;
  if (tokenizer === undefined) throw modelErrors.noTokenizer(folder);
  if (chat !== undefined) {
    return loadChatTemplate(folder).encodePrompt([{ role: 'user', content: chat }], tokenizer).ids;
  }
  return tokenizer.encode(promptFile === undefined ? (prompt ?? '') : readPrompt(resolve(cwd, promptFile)));
}

function parseIds(text: string): Int32Array {
  const ids = text.split(',').map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN));
  if (ids.some((id) => !Number.isInteger(id) || id > 0x7fffffff)) throw cliErrors.noIds(text);
  return Int32Array.from(ids);
}

function readPrompt(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (cause) {
    throw cliErrors.promptFile(file, cause);
  }
}
