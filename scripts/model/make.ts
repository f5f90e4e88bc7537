/**
 * Makes `nano` from nothing: corpus, tokenizer, base in two parts, latent actions, float16, profiles of the actions, figures, card.
 * Every part is skipped when what it makes is there, and a training that was stopped goes on. Run by `npm run make-model`.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CORPUS } from '../corpus/rows.ts';
import { BOX, colaArguments, MEASURED, perform, scriptArguments, WORK } from './parts.ts';

const cola = (...args: string[]) => perform(process.execPath, colaArguments(args));
const script = (name: string, ...args: string[]) => perform(process.execPath, scriptArguments(name, args));

/** One part: what it makes, and how. */
interface Part {
  readonly name: string;
  readonly makes: readonly string[];
  make(): Promise<void>;
}

/** Trains a spec, or goes on with it, and puts its model where the next part looks for it. */
function training(name: string, spec: string): Part {
  const target = join(WORK, name);
  return {
    name,
    makes: [join(target, 'config.json')],
    async make() {
      const run = join(WORK, '.cola', 'runs', name);
      const which = existsSync(run) ? ['--resume', name] : [spec, '--run', name];
      await cola('train', ...which, '--root', WORK);
      const copy = `${target}.part`;
      await rm(copy, { recursive: true, force: true });
      await cp(join(run, 'model'), copy, { recursive: true });
      await rename(copy, target);
    },
  };
}

/** The model as it goes into the box; the box itself may hold an earlier one. */
const made = join(WORK, 'nano');
const toBox = async (...names: string[]) => {
  for (const name of names) await cp(join(made, name), join(BOX, name));
};

const parts: readonly Part[] = [
  {
    name: 'corpus',
    makes: ['train.jsonl', 'heldout.jsonl'].map((name) => join(CORPUS, name)),
    make: () => script('corpus/build.ts'),
  },
  { name: 'tokenizer', makes: [join(BOX, 'tokenizer.json')], make: () => script('tokenizer/train.ts') },
  { name: 'texts for annealing', makes: [join(CORPUS, 'anneal.jsonl')], make: () => script('model/anneal-data.ts') },
  training('base', join('scripts', 'model', 'base.cola.yaml')),
  training('annealed', join('scripts', 'model', 'anneal.cola.yaml')),
  training('heads', join('scripts', 'model', 'heads.cola.yaml')),
  {
    name: 'float16',
    makes: [join(made, 'config.json')],
    async make() {
      await cola('export', join(WORK, 'heads'), made, '--dtype', 'f16');
      // Of 60 lines of held-out files it began 20 as their author did from the text before, and none with filling in.
      const file = join(made, 'cola.json');
      const json = JSON.parse(await readFile(file, 'utf8'));
      await writeFile(file, `${JSON.stringify({ ...json, fill_in: false }, null, 2)}\n`);
      await toBox('config.json', 'model.safetensors', 'cola.json', 'cola.safetensors');
    },
  },
  {
    name: 'actions',
    makes: [join(made, 'actions.json')],
    async make() {
      await cola('actions', made, '--text', join(CORPUS, 'heldout.jsonl'));
      await toBox('actions.json');
    },
  },
  { name: 'figures', makes: [MEASURED], make: () => script('model/measure.ts') },
  {
    name: 'card',
    makes: [join(WORK, 'card.md')],
    async make() {
      await script('model/card.ts');
      await cp(join(BOX, 'README.md'), join(WORK, 'card.md'));
    },
  },
];

await mkdir(WORK, { recursive: true });
await perform(process.execPath, [join('scripts', 'build.mjs')]);
for (const { name, makes, make } of parts) {
  if (makes.every((file) => existsSync(file))) process.stderr.write(`${name}: there already\n`);
  else {
    process.stderr.write(`${name}\n`);
    await make();
  }
}
