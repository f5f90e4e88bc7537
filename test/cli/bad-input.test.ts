/** Whatever is wrong with what a person gives: a catalogued error, exit code 2, and nothing written. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { knownErrorIds } from '../../server/errors.ts';
import { SafetensorsFile } from '../../server/files/safetensors.ts';
import { type TensorToWrite, writeSafetensors } from '../../server/files/safetensors-writer.ts';
import { scratchFolder } from '../store/scratch.ts';
import { cola, listing } from './cola.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');
const COLA = join(FIXTURES, 'cola/n8-plain');
const NO_PROMPT = ['generate', '--model', 'model', '--device', 'cpu'];
const GENERATE = ['generate', '--model', 'model', '--ids', '1,2', '--device', 'cpu'];
const PROMPT = ['generate', '--model', 'model', '--prompt', 'x', '--device', 'cpu'];
const SCORE = ['score', 'text.txt', '--model', 'model', '--device', 'cpu'];
const TRAIN = ['train', 'spec.yaml'];

interface Case {
  readonly what: string;
  readonly id: string;
  readonly says: RegExp;
  readonly advises?: RegExp;
  readonly args: readonly string[];
  /** Makes the folder bad; `at` gives paths in it. There is a good model in `model`. */
  readonly prepare?: (at: (...parts: string[]) => string) => void | Promise<void>;
}

type At = (...parts: string[]) => string;
const weights = (at: At) => at('model', 'model.safetensors');

/** The header of a safetensors file, changed; the data stays. */
function editHeader(
  at: At,
  change: (header: Record<string, { data_offsets: number[]; shape: number[] }>) => void,
): void {
  const bytes = readFileSync(weights(at));
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  change(header);
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(weights(at), Buffer.concat([size, text, bytes.subarray(8 + length)]));
}

/** The tensors of the model, changed and written anew. */
async function editTensors(
  at: At,
  change: (tensors: (TensorToWrite & { data: Float32Array })[]) => unknown,
): Promise<void> {
  const tensors = [];
  {
    using file = SafetensorsFile.open(weights(at));
    for (const name of file.names) {
      tensors.push({ name, shape: file.info(name).shape, dtype: 'F32' as const, data: file.readFloat32(name).slice() });
    }
  }
  change(tensors);
  await writeSafetensors(weights(at), tensors);
}

function editJson(path: string, change: (json: Record<string, unknown>) => unknown): void {
  const json = JSON.parse(readFileSync(path, 'utf8'));
  change(json);
  writeFileSync(path, JSON.stringify(json));
}

const config = (at: At) => at('model', 'config.json');
const index = (at: At, map: unknown) => {
  renameSync(weights(at), at('model', 'a.safetensors'));
  writeFileSync(at('model', 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
};
const spec = (text: string) => (at: At) => writeFileSync(at('spec.yaml'), text);

const cases: readonly Case[] = [
  {
    what: 'a word that stands behind an option without a value',
    id: 'cli.usage',
    says: /--tokens takes no value, and "5k" stands behind it/,
    args: [...GENERATE, '--tokens', '5k'],
  },
  {
    what: 'a prompt without its option',
    id: 'cli.usage',
    says: /"const x =" is too much for 'cola generate': write --prompt before it/,
    args: [...NO_PROMPT, 'const x ='],
  },
  {
    what: 'a misspelt option that has to be there',
    id: 'cli.usage',
    says: /Unknown option '--modle' \(Did you mean --model\?\)/,
    args: ['generate', '--modle', 'model'],
  },
  {
    what: 'an option of another tool',
    id: 'cli.usage',
    says: /Unknown option '--max-new-tokens' \(Did you mean --max-new\?\)/,
    args: ['generate', '--model', 'model', '--prompt', 'a', '--max-new-tokens', '8'],
  },
  {
    what: 'an option as another language writes it',
    id: 'cli.usage',
    says: /Unknown option '--max_new' \(Did you mean --max-new\?\)/,
    args: ['generate', '--model', 'model', '--prompt', 'a', '--max_new=8'],
  },
  {
    what: 'a command of another tool',
    id: 'cli.usage',
    says: /Unknown command 'run' \(Did you mean train\?\)/,
    args: ['run', 'spec.yaml'],
  },
  {
    what: 'a command of a command without its argument',
    id: 'cli.usage',
    says: /Missing required argument/,
    advises: /Run `cola feedback tune --help`/,
    args: ['feedback', 'tune'],
  },
  {
    what: 'a port that there is not',
    id: 'cli.usage',
    says: /a whole number from 0 to 65535/,
    args: ['serve', '--model', 'model', '--port', '99999'],
  },
  {
    what: 'a model folder as a spec',
    id: 'spec.folder',
    says: /model is a folder and no run spec/,
    args: ['train', 'model'],
  },
  {
    what: 'the model in the box by half its name',
    id: 'config.noModel',
    says: /nano/,
    advises: /builtin:nano/,
    args: ['fit', 'nano'],
  },
  {
    what: 'a longer sequence than the model reads',
    id: 'cli.usage',
    says: /--length is 5000/,
    args: ['fit', 'model', '--length', '5000'],
  },
  {
    what: 'a log of feedback that is not there',
    id: 'feedback.nothingYet',
    says: /Nothing has been recorded/,
    args: ['feedback', 'export', 'x.jsonl'],
  },
  {
    what: 'the name of a GGUF file for a folder',
    id: 'cli.usage',
    says: /add --format gguf/,
    args: ['export', 'model', 'x.gguf'],
  },
  {
    what: 'a reward without blanks',
    id: 'evaluate.badReward',
    says: /write "\{length: \{max: 3\}\}"/,
    args: ['search', COLA, '--ids', '1', '--reward', '{length:{max:3}}', '--simulations', '2', '--device', 'cpu'],
  },
  {
    what: 'a saved search that is not there',
    id: 'store.cannotRead',
    says: /none\.json/,
    args: ['search', COLA, '--continue', 'none.json', '--reward', '{length: {max: 3}}', '--simulations', '2'],
  },
  {
    what: 'no model folder',
    id: 'config.noModel',
    says: /nowhere/,
    args: ['generate', '--model', 'nowhere', '--ids', '1'],
  },
  {
    what: 'a built-in model that does not exist',
    id: 'spec.unknownBuiltin',
    says: /giant/,
    args: ['fit', 'builtin:giant'],
  },
  {
    what: 'a truncated safetensors file',
    id: 'safetensors.truncated',
    says: /ends too early/,
    args: GENERATE,
    prepare: (at) => truncateSync(weights(at), 5000),
  },
  {
    what: 'an empty safetensors file',
    id: 'safetensors.truncated',
    says: /ends too early/,
    args: GENERATE,
    prepare: (at) => truncateSync(weights(at), 0),
  },
  {
    what: 'a header of absurd length',
    id: 'safetensors.headerLength',
    says: /header has/,
    args: GENERATE,
    prepare: (at) => {
      const bytes = readFileSync(weights(at));
      bytes.writeBigUInt64LE(2n ** 62n, 0);
      writeFileSync(weights(at), bytes);
    },
  },
  {
    what: 'a header that is no JSON',
    id: 'safetensors.header',
    says: /header of/,
    args: GENERATE,
    prepare: (at) => {
      const bytes = readFileSync(weights(at));
      bytes[8] = 0x5b;
      writeFileSync(weights(at), bytes);
    },
  },
  {
    what: 'overlapping tensors',
    id: 'safetensors.layout',
    says: /do not fill it exactly/,
    args: GENERATE,
    prepare: (at) =>
      editHeader(at, (header) => {
        const norms = Object.keys(header).filter((name) => name.includes('layernorm'));
        header[norms[1]!]!.data_offsets = header[norms[0]!]!.data_offsets;
      }),
  },
  {
    what: 'a shape that does not fit the bytes',
    id: 'safetensors.size',
    says: /wrong size/,
    args: GENERATE,
    prepare: (at) => editHeader(at, (header) => header['model.norm.weight']!.shape.push(2)),
  },
  {
    what: 'a missing tensor',
    id: 'weights.missing',
    says: /lack "model\.norm\.weight"/,
    args: GENERATE,
    prepare: (at) =>
      editTensors(at, (all) =>
        all.splice(
          all.findIndex(({ name }) => name === 'model.norm.weight'),
          1,
        ),
      ),
  },
  {
    what: 'a tensor too many',
    id: 'weights.extra',
    says: /"model\.layers\.99\.x"/,
    args: GENERATE,
    prepare: (at) =>
      editTensors(at, (all) =>
        all.push({ name: 'model.layers.99.x', shape: [1], dtype: 'F32', data: Float32Array.of(1) }),
      ),
  },
  {
    what: 'a tensor of another shape',
    id: 'weights.shape',
    says: /\[32\].*calls for \[64\]|calls for/,
    args: GENERATE,
    prepare: (at) => editJson(config(at), (json) => Object.assign(json, { intermediate_size: 72 })),
  },
  {
    what: 'weights that are not numbers',
    id: 'weights.notFinite',
    says: /not a finite number, at index 3/,
    args: GENERATE,
    prepare: (at) => editTensors(at, ([first]) => first!.data.fill(Number.NaN, 3, 4)),
  },
  { what: 'no weights', id: 'weights.none', says: /no weights/, args: GENERATE, prepare: (at) => rmSync(weights(at)) },
  {
    what: 'an index that leads out of the folder',
    id: 'weights.shardName',
    says: /"\.\.\/a\.safetensors"/,
    args: GENERATE,
    prepare: (at) => index(at, { 'model.norm.weight': '../a.safetensors' }),
  },
  {
    what: 'an index with an absolute path',
    id: 'weights.shardName',
    says: /plain name/,
    args: GENERATE,
    prepare: (at) => index(at, { 'model.norm.weight': '/etc/a.safetensors' }),
  },
  {
    what: 'a shard that is a link to elsewhere',
    id: 'weights.outside',
    says: /leads out/,
    args: GENERATE,
    prepare: (at) => {
      index(at, { 'model.norm.weight': 'b.safetensors' });
      renameSync(at('model', 'a.safetensors'), at('elsewhere.safetensors'));
      symlinkSync(at('elsewhere.safetensors'), at('model', 'b.safetensors'));
    },
  },
  {
    what: 'a config that is no JSON',
    id: 'config.json',
    says: /not valid JSON/,
    args: GENERATE,
    prepare: (at) => truncateSync(config(at), 40),
  },
  {
    what: 'a config of another kind of model',
    id: 'config.architecture',
    says: /bert/,
    args: GENERATE,
    prepare: (at) => editJson(config(at), (json) => Object.assign(json, { model_type: 'bert' })),
  },
  {
    what: 'a config with heads that do not divide',
    id: 'config.value',
    says: /num_key_value_heads/,
    args: ['fit', 'model'],
    prepare: (at) => editJson(config(at), (json) => Object.assign(json, { num_key_value_heads: 3 })),
  },
  {
    what: 'a tokenizer that is no JSON',
    id: 'tokenizer.broken',
    says: /tokenizer\.json/,
    args: PROMPT,
    prepare: (at) => truncateSync(at('model', 'tokenizer.json'), 100),
  },
  {
    what: 'a tokenizer of another kind',
    id: 'tokenizer.unsupported',
    says: /Unigram/,
    args: PROMPT,
    prepare: (at) =>
      editJson(at('model', 'tokenizer.json'), (json) => Object.assign(json.model as object, { type: 'Unigram' })),
  },
  {
    what: 'no tokenizer',
    id: 'model.noTokenizer',
    says: /no tokenizer/,
    args: PROMPT,
    prepare: (at) => rmSync(at('model', 'tokenizer.json')),
  },
  {
    what: 'a tokenizer of SentencePiece alone',
    id: 'model.otherTokenizer',
    says: /tokenizer\.model/,
    args: PROMPT,
    prepare: (at) => renameSync(at('model', 'tokenizer.json'), at('model', 'tokenizer.model')),
  },
  {
    what: 'no chat template',
    id: 'chat.noTemplate',
    says: /chat template/,
    args: ['generate', '--model', 'model', '--chat', 'hi'],
  },
  {
    what: 'ids out of range',
    id: 'model.idOutOfRange',
    says: /320/,
    args: [...NO_PROMPT, '--ids', '1,320'],
  },
  { what: 'ids that are no numbers', id: 'cli.noIds', says: /"1,x"/, args: [...NO_PROMPT, '--ids', '1,x'] },
  {
    what: 'a prompt longer than the context',
    id: 'model.tooLong',
    says: /128/,
    args: [...NO_PROMPT, '--ids', new Array(128).fill(1).join()],
  },
  { what: 'more tokens than fit', id: 'model.contextFull', says: /128/, args: [...GENERATE, '--max-new', '127'] },
  {
    what: 'a prompt file that is no text',
    id: 'cli.promptFile',
    says: /UTF-8|not valid/,
    args: ['generate', '--model', 'model', '--prompt-file', 'text.txt'],
    prepare: (at) => writeFileSync(at('text.txt'), Uint8Array.of(0x61, 0xff)),
  },
  {
    what: 'a prompt file that is not there',
    id: 'cli.promptFile',
    says: /no\.txt cannot be read \(there is no such file\)\.$/,
    args: ['generate', '--model', 'model', '--prompt-file', 'no.txt'],
  },
  {
    what: 'a prompt without end',
    id: 'files.tooLarge',
    says: /\/dev\/zero is larger/,
    args: ['generate', '--model', 'model', '--prompt-file', '/dev/zero'],
  },
  {
    what: 'a cut of tokens where latent actions answer',
    id: 'cli.topP',
    says: /answers by latent actions/,
    args: ['generate', '--model', COLA, '--ids', '1', '--top-p', '0.9', '--device', 'cpu'],
  },
  { what: 'no prompt', id: 'cli.onePrompt', says: /exactly one/, args: ['generate', '--model', 'model'] },
  { what: 'two prompts', id: 'cli.onePrompt', says: /exactly one/, args: [...PROMPT, '--chat', 'x'] },
  { what: 'no text', id: 'data.missingFile', says: /text\.txt/, args: SCORE },
  {
    what: 'an empty text',
    id: 'data.emptyFile',
    says: /is empty/,
    args: SCORE,
    prepare: (at) => writeFileSync(at('text.txt'), ''),
  },
  {
    what: 'a text that is not UTF-8',
    id: 'data.notUtf8',
    says: /not UTF-8/,
    args: SCORE,
    prepare: (at) => writeFileSync(at('text.txt'), Uint8Array.of(0x61, 0xe4, 0x20)),
  },
  {
    what: 'a file that is not text',
    id: 'data.binaryFile',
    says: /not a text file/,
    args: SCORE,
    prepare: (at) => writeFileSync(at('text.txt'), Uint8Array.of(0x61, 0, 0x20)),
  },
  {
    what: 'a row that is no JSON',
    id: 'data.brokenJson',
    says: /line 2 is not JSON/,
    args: ['score', 'rows.jsonl', '--model', 'model', '--device', 'cpu'],
    prepare: (at) => writeFileSync(at('rows.jsonl'), '{"text":"abc def"}\n{"text"\n'),
  },
  {
    what: 'windows longer than the context',
    id: 'model.windowTooLong',
    says: /129/,
    args: [...SCORE, '--length', '129'],
    prepare: (at) => writeFileSync(at('text.txt'), 'some text'),
  },
  {
    what: 'no reference values',
    id: 'check.noReference',
    says: /expected\.safetensors/,
    args: ['check', 'model', '--device', 'cpu'],
    prepare: (at) => rmSync(at('model', 'expected.safetensors')),
  },
  { what: 'no spec', id: 'spec.cannotRead', says: /^There is no run spec .*spec\.yaml\.$/, args: TRAIN },
  ...(['tune', 'versions', 'use', 'show', 'export', 'clear'] as const).map((command) => ({
    what: `a file for the folder of feedback ${command}`,
    id: 'cli.noFolder',
    says: /^There is no folder .*config\.json\.$/,
    args: [
      ...[
        'feedback',
        command,
        ...{ tune: [COLA], use: ['x'], export: ['x'], versions: [], show: [], clear: [] }[command],
      ],
      ...['--root', 'model/config.json'],
    ],
  })),
  {
    what: 'a person to be simulated on a text that is not there',
    id: 'data.missingFile',
    says: /^There is no .*x\.txt\.$/,
    args: ['feedback', 'simulate', 'x.txt', '--model', COLA, '--device', 'cpu'],
  },
  {
    what: 'a person to be simulated on a pipe',
    id: 'data.notPlain',
    says: /\bpipe is a device, a pipe or a socket/,
    args: ['feedback', 'simulate', 'pipe', '--model', COLA, '--device', 'cpu'],
    prepare: (at) => execFileSync('mkfifo', [at('pipe')]) && undefined,
  },
  {
    what: 'a model to measure against that is not there, before anything is measured',
    id: 'config.noModel',
    says: /nowhere/,
    args: ['evaluate', COLA, '--prompts', 'arithmetic', '--against', 'nowhere', '--device', 'cpu'],
  },
  { what: 'no model whose actions are looked at', id: 'config.noModel', says: /nowhere/, args: ['actions', 'nowhere'] },
  {
    what: 'a text to watch that is not there, before the run',
    id: 'data.missingFile',
    says: /no\.txt/,
    args: ['start', '--text', 'no.txt', '--steps', '1', '--device', 'cpu'],
  },
  {
    what: 'a file for a folder of claims',
    id: 'reproduce.noClaims',
    says: /config\.json/,
    args: ['reproduce', '--list', '--claims', 'model/config.json'],
  },
  {
    what: 'a spec that is no YAML',
    id: 'spec.invalid',
    says: /spec\.yaml:1:/,
    args: TRAIN,
    prepare: spec('model: [x'),
  },
  {
    what: 'a spec of 2000 brackets',
    id: 'spec.invalid',
    says: /spec\.yaml:1:\d+: A run spec should be nested at most 64 deep/,
    args: TRAIN,
    prepare: spec('['.repeat(2000)),
  },
  {
    what: 'a spec of 2000 brackets, for fit',
    id: 'spec.invalid',
    says: /nested at most 64 deep/,
    args: ['fit', 'spec.yaml'],
    prepare: spec('['.repeat(2000) + ']'.repeat(2000)),
  },
  {
    what: 'a spec of 5 MB',
    id: 'spec.tooLong',
    says: /more than 131072 characters/,
    args: TRAIN,
    prepare: spec('# x\n'.repeat(1_250_000)),
  },
  {
    what: 'a spec whose aliases multiply',
    id: 'spec.invalid',
    says: /alias/,
    args: TRAIN,
    prepare: spec(
      ['a: &a0 [x, x]', ...Array.from({ length: 20 }, (_, i) => `a${i}: &a${i + 1} [*a${i}, *a${i}]`)].join('\n'),
    ),
  },
  {
    what: 'a reward with a setting that it does not have',
    id: 'spec.invalid',
    says: /length has no setting "target" but min, max, unit, slope/,
    args: TRAIN,
    prepare: spec('model: model\nstages: [{reinforce: {prompts: a, reward: {length: {target: 10}}}}]'),
  },
  {
    what: 'a reward without the setting that it needs',
    id: 'spec.invalid',
    says: /length needs max/,
    args: TRAIN,
    prepare: spec('model: model\nstages: [{reinforce: {prompts: a, reward: length}}]'),
  },
  {
    what: 'one sample of a prompt for GRPO',
    id: 'spec.invalid',
    says: /"group" should be 2 or more/,
    args: TRAIN,
    prepare: spec('model: model\nstages: [{reinforce: {prompts: a, reward: exact, group: 1}}]'),
  },
  {
    what: 'a reward to evaluate with, of 2000 brackets',
    id: 'evaluate.badReward',
    says: /nested at most 64 deep/,
    args: ['evaluate', 'model', '--prompts', 'countdown', '--device', 'cpu', '--reward', '['.repeat(2000)],
  },
  {
    what: 'a spec with an unknown key',
    id: 'spec.invalid',
    says: /spec\.yaml:2:1: There is no setting "devic" here \(did you mean "device"\?\)/,
    args: TRAIN,
    prepare: spec('model: model\ndevic: cpu\nstages: [{clone: {data: a}}]'),
  },
  {
    what: 'a spec with an unknown key, for fit',
    id: 'spec.invalid',
    says: /spec\.yaml:3:\d+: There is no setting "dta"/,
    args: ['fit', 'spec.yaml'],
    prepare: spec('model: model\nstages:\n - clone: {data: a, dta: a}'),
  },
  {
    what: 'a spec whose model is not there',
    id: 'config.noModel',
    says: /nowhere/,
    args: ['fit', 'spec.yaml'],
    prepare: spec('model: nowhere\nstages: [{pretrain: {data: a}}]'),
  },
  {
    what: 'a spec without a stage to pretrain',
    id: 'cli.noPretrain',
    says: /not pretrain/,
    args: ['pretrain', 'spec.yaml'],
    prepare: spec('model: model\nstages: [{control: {data: a}}]'),
  },
  { what: 'no run to resume', id: 'cli.resumeWhat', says: /name of a run/, args: ['train', '--resume'] },
  { what: 'a run that is not there', id: 'store.noRun', says: /first/, args: ['train', '--resume', 'first'] },
  { what: 'nothing to train', id: 'cli.usage', says: /no spec/, args: ['train'] },
  { what: 'a checkpoint of a new run', id: 'cli.usage', says: /resumed/, args: [...TRAIN, '--from', '3'] },
  { what: 'no step', id: 'cli.usage', says: /whole number/, args: ['train', '--resume', 'x', '--from', 'last'] },
  {
    what: 'a file in the place of .cola',
    id: 'protocol.system',
    says: /ENOTDIR|ENOENT/,
    args: ['feedback', 'versions'],
    prepare: (at) => writeFileSync(at('.cola'), ''),
  },
  { what: 'an unknown command', id: 'cli.usage', says: /'chek'.*Did you mean check/s, args: ['chek', 'model'] },
  {
    what: 'an unknown option',
    id: 'cli.usage',
    says: /'--btch'.*Did you mean --batch/s,
    args: ['fit', 'model', '--btch', '3'],
  },
  {
    what: 'an argument too many',
    id: 'cli.usage',
    says: /"model" is too much for 'cola fit'/,
    args: ['fit', 'model', 'model'],
  },
  {
    what: 'an argument missing',
    id: 'cli.usage',
    says: /missing required argument/i,
    args: ['score', '--model', 'model'],
  },
  { what: 'an option without a value', id: 'cli.usage', says: /argument missing/, args: ['fit', 'model', '--batch'] },
  {
    what: 'a device that does not exist',
    id: 'cli.usage',
    says: /Allowed choices are auto/,
    args: ['check', 'model', '--device', 'tpu'],
  },
  ...(
    [
      ['--max-new', '0', 'whole number above 0'],
      ['--max-new', '1.5', 'whole number above 0'],
      ['--temperature', '-1', '0 or more'],
      ['--temperature', 'hot', 'a number'],
      ['--top-k', '-2', '0 or more'],
      ['--top-p', '0', 'at most 1'],
      ['--seed', '1e300', 'whole number'],
      ['--samples', '', 'whole number'],
    ] as const
  ).map(([option, value, says]) => ({
    what: `${option} ${JSON.stringify(value)}`,
    id: 'cli.usage',
    says: new RegExp(says),
    args: [...GENERATE, option, value],
  })),
];

describe('the command line refuses', () => {
  const scratch = scratchFolder();

  for (const { what, id, says, advises, args, prepare } of cases) {
    it(`${what}: ${id}`, async () => {
      const at: At = (...parts) => scratch('work', ...parts);
      mkdirSync(at());
      cpSync(join(FIXTURES, 'hf/llama-gqa'), at('model'), { recursive: true });
      await prepare?.(at);
      const before = listing(at());
      const { code, stdout, stderr } = await cola(args, { cwd: at() });
      assert.equal(code, 2, stderr);
      assert.equal(stdout, '');
      const [sentence, remedy, last] = stderr.trimEnd().split('\n').slice(-3) as [string, string, string];
      assert.equal(last, `[${id}]`, stderr);
      assert(knownErrorIds().includes(id));
      assert.match(sentence, says);
      assert.match(remedy, advises ?? /^\S.*[.}]$/);
      assert.deepEqual(listing(at()), before);

      const json = await cola([...args, '--json'], { cwd: at() });
      assert.equal(json.code, 2);
      const { error } = JSON.parse(json.stdout);
      // An option that lacks its value takes --json for it.
      if (!what.includes('without a value')) assert.deepEqual(error, { id, message: sentence, remedy });
    });
  }
});
