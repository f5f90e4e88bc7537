/**
 * Makes `nano` from nothing: corpus, tokenizer, base in two parts, latent actions, float16, profiles of the actions, figures, card.
 * Every part is skipped when what it makes is there, and a training that was stopped goes on. Run by `npm run make-model`.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
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

const weights = ['config.json', 'model.safetensors', 'cola.json', 'cola.safetensors'];

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
    makes: weights.map((name) => join(BOX, name)),
    async make() {
      const half = join(WORK, 'nano');
      await cola('export', join(WORK, 'heads'), half, '--dtype', 'f16');
      for (const name of weights) await cp(join(half, name), join(BOX, name));
    },
  },
  {
    name: 'actions',
    makes: [join(BOX, 'actions.json')],
    make: () => cola('actions', BOX, '--text', join(CORPUS, 'heldout.jsonl')),
  },
  { name: 'figures', makes: [MEASURED], make: () => script('model/measure.ts') },
  { name: 'card', makes: [join(BOX, 'README.md')], make: () => script('model/card.ts') },
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
