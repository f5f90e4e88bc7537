/**
 * Answers that are written together beside answers one at a time: the batch of the local server, without its HTTP, and that of
 * llama.cpp where COLA_NODE_LLAMA_CPP names the folder of the package node-llama-cpp.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ColaModel } from '../server/cola/model.ts';
import { Device } from '../server/device/device.ts';
import { writeGguf } from '../server/model/gguf/write.ts';
import { greedy } from '../server/model/sampling.ts';
import { Random } from '../server/random.ts';
import { Batch, type Order } from '../server/serve/batch.ts';
import { chanceOf } from '../server/serve/log-probabilities.ts';
import { ActionVoice, TokenVoice } from '../server/serve/voice.ts';
import { resolveModel } from '../server/spec/paths.ts';
import { type Bench, type Measure, median } from './measure.ts';
import { LineProcess, peerFile } from './peer.ts';

const llama = process.env.COLA_NODE_LLAMA_CPP;
/** Answers that are written at once, and how many there are of them in all. */
const sizes = [
  { words: 'one at a time', parallel: 1, answers: 16 },
  { words: 'eight at once', parallel: 8, answers: 16 },
  { words: 'sixty-four at once', parallel: 64, answers: 64 },
] as const;
const prompt = 64;
const tokens = 32;
const rounds = 3;

export const serveBench: Bench = {
  name: 'serve',
  about: `answers of ${tokens} tokens to prompts of ${prompt}, the model in the box, 1, 8 and 64 at once, in turn ${rounds} times`,
  async run(name) {
    // Beside llama.cpp with one thread each: its threads wait for each other at every product, which on a busy machine is all they do.
    const device = await Device.open(name, llama === undefined ? {} : { threads: 1 });
    const scratch = mkdtempSync(join(tmpdir(), 'cola-bench-'));
    let peer: LineProcess | undefined;
    try {
      const model = await ColaModel.load(resolveModel('builtin:nano', process.cwd()));
      const { vocabSize } = model.base.config;
      const measures: Measure[] = [];
      peer = await startLlama(scratch, model, name);
      for (const [way, open] of [
        ['by tokens', () => new TokenVoice(device, model.base)],
        ['by actions', () => new ActionVoice(device, model)],
      ] as const) {
        const batches = sizes.map(
          ({ parallel }) =>
            new Batch(open(), parallel, (logits, at, id, k) => chanceOf(logits, at, vocabSize, id, k), vocabSize),
        );
        const speeds: number[][] = sizes.map(() => []);
        const theirs: number[][] = sizes.map(() => []);
        for (let round = 0; round <= rounds; round++) {
          console.error(`${way}, ${round === 0 ? 'to warm up' : `round ${round} of ${rounds}`}`);
          for (const [i, batch] of batches.entries()) {
            const speed = await speedOf(batch, sizes[i].answers, vocabSize);
            // The first round compiles.
            if (round > 0) speeds[i].push(speed);
          }
          const found = (await peer?.round()) ?? {};
          if (round > 0) for (const [i, { words }] of sizes.entries()) theirs[i].push(found[words] ?? 0);
        }
        for (const batch of batches) await batch.close(new Error('the bench is over'));
        for (const [i, { words }] of sizes.entries())
          measures.push({
            name: `${way}, ${words}`,
            value: median(speeds[i]),
            unit: 'tokens/s',
            ...(i === 0
              ? {}
              : {
                  against: sizes[0].words,
                  ratio: median(speeds[i].map((speed, round) => speed / speeds[0][round])),
                }),
          });
        if (peer !== undefined)
          for (const [i, { words }] of sizes.entries())
            measures.push({
              name: `llama.cpp beside ${way}, ${words}`,
              value: median(theirs[i]),
              unit: 'tokens/s',
              against: 'the same here',
              ratio: median(theirs[i].map((speed, round) => speed / speeds[i][round])),
            });
      }
      return measures;
    } finally {
      peer?.stop();
      rmSync(scratch, { recursive: true });
      await device.dispose();
    }
  },
};

/** llama.cpp with the base of the same model in float32; undefined where it is not there, or another device is measured. */
async function startLlama(scratch: string, { base }: ColaModel, device: string): Promise<LineProcess | undefined> {
  if (llama === undefined || device !== 'cpu') return undefined;
  const file = join(scratch, 'model.gguf');
  await writeGguf(file, base, 'f32');
  const given = { package: llama, model: file, sizes, prompt, tokens, threads: 1 };
  return LineProcess.start(process.execPath, [peerFile('llama_batch.mjs'), JSON.stringify(given)]);
}

/** Tokens a second, of the clock. */
async function speedOf(batch: Batch, answers: number, vocabSize: number): Promise<number> {
  const random = new Random(5);
  const started = performance.now();
  const ended = Array.from({ length: answers }, (_, i) => {
    const ids = Int32Array.from({ length: prompt }, () => Math.floor(random.uniform() * vocabSize));
    return new Promise<void>((done, failed) => {
      const answer = {
        sampling: greedy,
        random: new Random(i),
        pinned: [],
        banned: [],
        length: 0,
        take: () => ++answer.length < tokens,
      };
      const { signal } = new AbortController();
      const order: Order = { client: `${i}`, prompt: ids, answers: [answer], maxTokens: tokens, signal, done, failed };
      batch.add(order);
    });
  });
  while (await batch.step());
  await Promise.all(ended);
  return (1000 * answers * tokens) / (performance.now() - started);
}
