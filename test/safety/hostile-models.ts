/**
 * Model folders as somebody may publish them who means ill: each is a good one with something changed. What becomes of it is either
 * an error of the catalogue or a model that works.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tokenizerCases } from './hostile-tokenizers.ts';
import { weightCases } from './hostile-weights.ts';
import { config, edit, endless, type HostileFolder, index, instead, type Json, link, nested, pipe } from './spoil.ts';

const whole: readonly HostileFolder[] = [
  {
    name: 'sizes that nothing has',
    ends: /^(config|weights)\./,
    spoil: config((json) =>
      Object.assign(json, { vocab_size: 2 ** 24, hidden_size: 2 ** 24, intermediate_size: 2 ** 24 }),
    ),
  },
  {
    name: 'a thousand layers that are not there',
    ends: /^weights\.missing$/,
    spoil: config((json) => Object.assign(json, { num_hidden_layers: 1024 })),
  },
  {
    name: 'a billion layers',
    ends: /^config\.value$/,
    spoil: config((json) => Object.assign(json, { num_hidden_layers: 1e9 })),
  },
  {
    name: 'heads by the billion',
    ends: /^config\.value$/,
    spoil: config((json) => Object.assign(json, { num_attention_heads: 2 ** 31 })),
  },
  {
    name: 'sizes below nothing',
    ends: /^config\.value$/,
    spoil: config((json) => Object.assign(json, { hidden_size: -16 })),
  },
  {
    name: 'sizes that are texts',
    ends: /^config\.value$/,
    spoil: config((json) => Object.assign(json, { vocab_size: '__proto__' })),
  },
  {
    name: 'numbers that are none',
    ends: /^config\.value$/,
    spoil: (folder) =>
      writeFileSync(
        join(folder, 'config.json'),
        readFileSync(join(folder, 'config.json'), 'utf8').replace(/"rms_norm_eps": *[^,}]+/, '"rms_norm_eps": NaN'),
      ),
  },
  {
    name: 'a base of rotation without end',
    ends: /^config\./,
    spoil: (folder) =>
      writeFileSync(
        join(folder, 'config.json'),
        readFileSync(join(folder, 'config.json'), 'utf8').replace(
          '{',
          '{"rope_theta": 1e999, "rope_scaling": {"rope_type": "llama3", "factor": 0},',
        ),
      ),
  },
  {
    name: 'positions by the quadrillion',
    ends: 'loads',
    spoil: config((json) => Object.assign(json, { max_position_embeddings: 1e15 })),
  },
  {
    name: 'a hundred thousand ends of text',
    ends: /^config\.value$/,
    spoil: config((json) => Object.assign(json, { eos_token_id: Array.from({ length: 100_000 }, (_, i) => i) })),
  },
  {
    name: 'a family from the prototype',
    ends: /^config\./,
    spoil: config((json) => Object.assign(json, { model_type: 'constructor', architectures: ['toString'] })),
  },
  {
    name: 'a deeply nested configuration',
    ends: /^config\.tooDeep$/,
    spoil: instead('config.json', `{"a":${nested(400_000)}}`),
  },
  { name: 'a configuration of 5 GB', ends: /^config\.tooLarge$/, spoil: endless('config.json', 5e9) },
  {
    name: 'keys of prototypes in the configuration',
    ends: 'loads',
    spoil: (folder) =>
      writeFileSync(
        join(folder, 'config.json'),
        readFileSync(join(folder, 'config.json'), 'utf8').replace(
          '{',
          '{"__proto__": {"vocab_size": 3}, "constructor": {"prototype": {"a": 1}},',
        ),
      ),
  },
  {
    name: 'codes by the billion',
    ends: /^cola\.config$/,
    spoil: edit('cola.json', (json) => Object.assign(json, { num_codes: 1e9 })),
  },
  {
    name: 'modules a thousand layers deep',
    ends: /^cola\.missing$|^cola\.extra$/,
    spoil: edit('cola.json', (json) => Object.assign(json, { policy_layers: 1024 })),
  },
  {
    name: 'a base somewhere else on the disk',
    ends: /^(cola|config|folder)\./,
    spoil: edit('cola.json', (json) => Object.assign(json, { base: '../../../../../etc' })),
  },
  {
    name: 'a base that is a device',
    ends: /^(cola|config|folder)\./,
    spoil: edit('cola.json', (json) => Object.assign(json, { base: '../../../../../../dev/zero' })),
  },
  { name: 'a deeply nested cola.json', ends: /^cola\.config$/, spoil: instead('cola.json', nested(400_000)) },
  {
    name: 'actions without end',
    ends: 'loads',
    spoil: (folder) => {
      rmSync(join(folder, 'actions.json'));
      symlinkSync('/dev/zero', join(folder, 'actions.json'));
    },
  },
  { name: 'actions that are nested deeply', ends: 'loads', spoil: instead('actions.json', nested(5_000_000)) },
  {
    name: 'a hundred thousand names of actions',
    ends: 'loads',
    spoil: edit('actions.json', (json) => {
      const [one] = json.actions as Json[];
      json.actions = Array.from({ length: 100_000 }, (_, i) => ({
        ...one,
        code: i,
        label: '\u202e<script>\u0007'.repeat(20),
      }));
    }),
  },
  {
    name: 'shards outside of the folder',
    ends: /^weights\./,
    spoil: index({ 'model.embed_tokens.weight': '../../secret.safetensors' }),
  },
  {
    name: 'shards that are devices',
    ends: /^(weights|safetensors)\./,
    spoil: (folder) => {
      index({ 'model.embed_tokens.weight': 'a.safetensors' })(folder);
      symlinkSync('/dev/zero', join(folder, 'a.safetensors'));
    },
  },
  {
    name: 'an index of half a million names',
    ends: /^(weights|config|folder)\./,
    spoil: index(Object.fromEntries(Array.from({ length: 500_000 }, (_, i) => [`t${i}`, `s${i}.safetensors`]))),
  },
];

const files = [
  'config.json',
  'generation_config.json',
  'cola.json',
  'model.safetensors',
  'cola.safetensors',
  'tokenizer.json',
  'tokenizer_config.json',
  'actions.json',
];
const refused = /^(config|cola|weights|safetensors|tokenizer|files|folder)\.|^engine\.noTokenizer$/;
const endsOf = (file: string): RegExp | 'loads' => (file === 'actions.json' ? 'loads' : refused);

/** What is no plain file, in the place of each file that is read. */
const places: readonly HostileFolder[] = files.flatMap((file): HostileFolder[] => [
  { name: `${file} is a pipe`, ends: endsOf(file), spoil: pipe(file) },
  { name: `${file} is a device without end`, ends: endsOf(file), spoil: link(file, '/dev/zero') },
  {
    name: `${file} is a link to itself`,
    ends: file === 'generation_config.json' ? /^config\./ : endsOf(file),
    spoil: link(file, file),
  },
  {
    name: `${file} is a folder`,
    ends: endsOf(file),
    spoil: (folder) => {
      rmSync(join(folder, file), { force: true });
      mkdirSync(join(folder, file));
    },
  },
  { name: `${file} is what memory holds`, ends: endsOf(file), spoil: link(file, '/proc/self/mem') },
]);

/** Folders that are no model, but that something is looked for in. */
const around: readonly HostileFolder[] = [
  {
    name: 'an adapter whose configuration is a pipe',
    ends: /^(folder|config|cola)\./,
    spoil: (folder) => {
      for (const file of files) rmSync(join(folder, file), { force: true });
      pipe('adapter_config.json')(folder);
    },
  },
  {
    name: 'an adapter whose configuration has no end',
    ends: /^(folder|config|cola)\./,
    spoil: (folder) => {
      for (const file of files) rmSync(join(folder, file), { force: true });
      link('adapter_config.json', '/dev/zero')(folder);
    },
  },
  { name: 'a cache whose revision is a pipe', ends: 'loads', spoil: (folder) => cached(folder, pipe('refs/main')) },
  {
    name: 'a cache whose revision has no end',
    ends: 'loads',
    spoil: (folder) => cached(folder, link('refs/main', '/dev/zero')),
  },
];

/** Makes a folder as the cache of Hugging Face has them, out of a model. */
function cached(folder: string, spoil: (folder: string) => void): void {
  mkdirSync(join(folder, 'snapshots', 'one'), { recursive: true });
  mkdirSync(join(folder, 'refs'));
  for (const file of files) {
    if (file === 'generation_config.json') continue;
    copyFileSync(join(folder, file), join(folder, 'snapshots', 'one', file));
    rmSync(join(folder, file));
  }
  spoil(folder);
}

export const hostileFolders: readonly HostileFolder[] = [
  ...weightCases,
  ...whole,
  ...tokenizerCases,
  ...places,
  ...around,
];
