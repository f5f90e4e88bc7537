/** Answers that are written together beside answers one at a time: the batch of the local server, without its HTTP. */
import { ColaModel } from '../server/cola/model.ts';
import { Device } from '../server/device/device.ts';
import { greedy } from '../server/model/sampling.ts';
import { Random } from '../server/random.ts';
import { Batch, type Order } from '../server/serve/batch.ts';
import { chanceOf } from '../server/serve/log-probabilities.ts';
import { ActionVoice, TokenVoice } from '../server/serve/voice.ts';
import { resolveModel } from '../server/spec/paths.ts';
import { type Bench, type Measure, median } from './measure.ts';

const answers = 16;
const prompt = 64;
const tokens = 32;
const rounds = 3;

export const serveBench: Bench = {
  name: 'serve',
  about: `${answers} answers of ${tokens} tokens to prompts of ${prompt}, the model in the box, 1 and 8 at once, in turn ${rounds} times`,
  async run(name) {
    const device = await Device.open(name);
    try {
      const model = await ColaModel.load(resolveModel('builtin:nano', process.cwd()));
      const { vocabSize } = model.base.config;
      const measures: Measure[] = [];
      for (const [way, open] of [
        ['by tokens', () => new TokenVoice(device, model.base)],
        ['by actions', () => new ActionVoice(device, model)],
      ] as const) {
        const batches = [1, 8].map(
          (parallel) =>
            new Batch(open(), parallel, (logits, at, id, k) => chanceOf(logits, at, vocabSize, id, k), vocabSize),
        );
        const speeds: number[][] = [[], []];
        for (let round = 0; round <= rounds; round++) {
          console.error(`${way}, ${round === 0 ? 'to warm up' : `round ${round} of ${rounds}`}`);
          for (const [i, batch] of batches.entries()) {
            const speed = await speedOf(batch, vocabSize);
            // The first round compiles.
            if (round > 0) speeds[i].push(speed);
          }
        }
        for (const batch of batches) await batch.close(new Error('the bench is over'));
        const [alone, together] = speeds.map(median);
        measures.push({ name: `${way}, one at a time`, value: alone, unit: 'tokens/s' });
        measures.push({
          name: `${way}, eight at once`,
          value: together,
          unit: 'tokens/s',
          against: 'one at a time',
          ratio: median(speeds[1].map((speed, i) => speed / speeds[0][i])),
        });
      }
      return measures;
    } finally {
      await device.dispose();
    }
  },
};

/** Tokens a second, of the clock. */
async function speedOf(batch: Batch, vocabSize: number): Promise<number> {
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
