/** `cola generate`: continues a text, by the policy where the model has one. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Decoder } from '../../cola/decoder.ts';
import { generateActions } from '../../cola/generate.ts';
import { ColaModel } from '../../cola/model.ts';
import type { Device } from '../../device/device.ts';
import { runDecoding } from '../../evaluate/run.ts';
import { loadChatTemplate } from '../../model/chat/chat.ts';
import { type GenerateOptions, type Generation, generate } from '../../model/generate.ts';
import { baseStepper, LanguageModel } from '../../model/language-model.ts';
import { noTokenizer } from '../../model/tokenizer/no-tokenizer.ts';
import { StreamDecoder } from '../../model/tokenizer/tokenizer.ts';
import { cliErrors } from '../errors.ts';
import type { Output } from '../io.ts';
import { namedModel } from '../named-model.ts';
import {
  count,
  type DeviceOption,
  integer,
  type JsonOption,
  natural,
  openChosen,
  type PrecisionOption,
  positive,
  share,
  withDevice,
  withExamples,
  withJson,
  withPrecision,
} from '../options.ts';
import { readPromptFile } from '../prompt-file.ts';
import type { Session } from '../session.ts';

type Options = JsonOption &
  DeviceOption &
  PrecisionOption & {
    readonly model: string;
    readonly prompt?: string;
    readonly promptFile?: string;
    readonly chat?: string;
    readonly ids?: string;
    readonly maxNew: number;
    readonly temperature: number;
    readonly topK: number;
    readonly topP?: number;
    readonly tokens?: boolean;
    readonly seed: number;
    readonly samples: number;
  };

export function addGenerate(program: Command, session: Session): void {
  const command = program
    .command('generate')
    .description(
      'Continue a text, or answer a message: by the policy over latent actions where the model has one, by the tokens of the base otherwise.',
    )
    .requiredOption('--model <folder>', 'model folder, a run, or builtin:nano')
    .option('--prompt <text>', 'text to continue')
    .option('--prompt-file <file>', 'file with the text to continue')
    .option('--chat <text>', "message to answer, through the model's chat template")
    .option('--ids <list>', 'token ids to continue, with commas, for models without a tokenizer')
    .option('--max-new <count>', 'most new tokens', count, 64)
    .option('--tokens', 'choose tokens with the base, even if the model has latent actions')
    .option('--temperature <number>', '0 always takes the most likely action or token', positive, 0)
    .option('--top-k <count>', 'only the k most likely actions or tokens; 0 for all', natural, 0)
    .option('--top-p <share>', 'only the most likely tokens that together reach p (default: all)', share)
    .option('--seed <number>', 'seed of the sampling', integer, 7)
    .option('--samples <count>', 'number of samples', count, 1);
  withExamples(withPrecision(withDevice(withJson(command)), 'auto'), [
    'generate --model builtin:nano --prompt "export function "',
    'generate --model models/qwen --chat "Name three primes." --temperature 0.7 --samples 4',
    'generate --model models/qwen --precision int4 --prompt "Once upon a time"',
    'generate --model countdown --prompt "Numbers: 03 09 12 Target: 24 Answer:" --json',
    'generate --model test/fixtures/hf/qwen3 --ids 5,17,3 --max-new 8 --json',
  ]).action((options: Options) => session.perform(options.json === true, (output) => run(options, output, session)));
}

interface Chosen {
  readonly base: LanguageModel;
  /** With the policy that is to choose; undefined where the base chooses tokens. */
  readonly cola: ColaModel | undefined;
}

async function load({ model, tokens, topP, precision }: Options, cwd: string, output: Output): Promise<Chosen> {
  const { folder, run } = await namedModel(model, cwd);
  const read = { precision, say: (text: string) => output.note(text) };
  if (!ColaModel.exists(folder)) return { base: await LanguageModel.load(folder, read), cola: undefined };
  const cola = await ColaModel.load(folder, read);
  const { base } = cola;
  const plain = (why: string): Chosen => {
    output.note(`Choosing tokens with the base: ${why}.`);
    return { base, cola: undefined };
  };
  if (tokens === true) return { base, cola: undefined };
  if (!cola.has('world') || !cola.has('policy')) return plain('this model has no policy over latent actions yet');
  if (run !== undefined && runDecoding(run) === 'tokens') return plain('its run tuned it to answer so');
  if (topP !== undefined) throw cliErrors.topP(folder);
  return { base, cola };
}

async function run(options: Options, output: Output, session: Session) {
  const model = await load(options, session.cwd, output);
  const prompt = await promptIds(options, model.base, session);
  const device = await openChosen(options, output);
  try {
    const stream = streamTo(options, model.base, output);
    const started = performance.now();
    const prompts = new Array<Int32Array>(options.samples).fill(prompt);
    const samples = await decode(device, model, prompts, options, {
      maxNewTokens: options.maxNew,
      seed: options.seed,
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
    const decoding = model.cola === undefined ? 'tokens' : 'actions';
    const way = decoding === 'actions' ? ' by latent actions' : '';
    output.note(`${tokens} tokens${way} in ${seconds.toFixed(2)} s, ${(tokens / seconds).toFixed(1)} a second`);
    const value = samples.map(({ ids, text, finish, actions }) => ({
      text: text ?? null,
      ids: [...ids],
      ...(actions === undefined ? {} : { actions: [...actions] }),
      finish,
    }));
    return { value: { decoding, prompt: [...prompt], samples: value, tokens, seconds }, ok: true };
  } finally {
    await device.dispose();
  }
}

async function decode(
  device: Device,
  { base, cola }: Chosen,
  prompts: readonly Int32Array[],
  { temperature, topK, topP = 1 }: Options,
  common: GenerateOptions,
): Promise<(Generation & { readonly actions?: Int32Array })[]> {
  if (cola === undefined) {
    const stepper = baseStepper(device, base, temperature === 0 ? 'token' : 'logits');
    try {
      return await generate(stepper, base, prompts, { ...common, sampling: { temperature, topK, topP } });
    } finally {
      await stepper.dispose();
    }
  }
  const decoder = new Decoder(device, cola, { parts: { topK } });
  try {
    return await generateActions(decoder, cola, prompts, { ...common, temperature });
  } finally {
    await decoder.dispose();
  }
}

/** A single sample is written as it comes. */
function streamTo({ samples }: Options, { tokenizer, endIds }: LanguageModel, output: Output) {
  if (samples > 1 || output.json || tokenizer === undefined) return undefined;
  const decoder = new StreamDecoder(tokenizer, { skipSpecialTokens: true, continuation: true });
  return {
    push: (_row: number, id: number) => {
      if (!endIds.has(id)) output.write(decoder.push([id]));
    },
    end: () => output.line(decoder.flush()),
  };
}

async function promptIds(
  { prompt, promptFile, chat, ids }: Options,
  model: LanguageModel,
  { cwd, signal }: Session,
): Promise<Int32Array> {
  if ([prompt, promptFile, chat, ids].filter((given) => given !== undefined).length !== 1) throw cliErrors.onePrompt();
  if (ids !== undefined) return parseIds(ids);
  const { tokenizer, folder } = model;
  if (tokenizer === undefined) throw noTokenizer(folder);
  if (chat !== undefined) {
    return loadChatTemplate(folder).encodePrompt([{ role: 'user', content: chat }], tokenizer).ids;
  }
  return tokenizer.encode(
    promptFile === undefined ? (prompt ?? '') : await readPromptFile(resolve(cwd, promptFile), signal),
  );
}

function parseIds(text: string): Int32Array {
  const ids = text.split(',').map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN));
  if (ids.some((id) => !Number.isInteger(id) || id > 0x7fffffff)) throw cliErrors.noIds(text);
  return Int32Array.from(ids);
}
