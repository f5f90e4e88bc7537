/** A rollout whose answers end at different lengths: those that are done leave the batch, against the same with all rows to the end. */
import { ColaModel } from '../server/cola/model.ts';
import { openDevice } from '../server/device/device.ts';
import { LanguageModel } from '../server/model/language-model.ts';
import { Random } from '../server/random.ts';
import { resolveModel } from '../server/spec/paths.ts';
import { DeviceWeights } from '../server/train/optimizer/weights.ts';
import { LatentActor } from '../server/train/reinforce/latent-actor.ts';
import { numbered, startsOf } from '../server/train/reinforce/starts.ts';
import type { StageContext } from '../server/train/stage.ts';
import { type Bench, median } from './measure.ts';

const sizes = { prompts: 16, group: 8, prompt: 27, answer: 32 };
const pairs = 3;
/** Of so many tokens one ends an answer. */
const endings = 16;

export const rolloutBench: Bench = {
  name: 'rollout',
  about: `a rollout over actions, ${sizes.prompts} x ${sizes.group} answers of ${sizes.answer} tokens at most that end at different lengths, one thread, CPU time`,
  async run(name) {
    if (name !== 'cpu') return [];
    const { device } = await openDevice('cpu', { threads: 1 });
    const loaded = await ColaModel.load(resolveModel('builtin:nano', ''));
    const random = new Random(7);
    const { vocabSize } = loaded.base.config;
    const ends = Array.from({ length: vocabSize / endings }, () => random.integer(vocabSize));
    const config = { ...loaded.base.config, eosTokenIds: ends };
    const base = new LanguageModel(loaded.folder, config, undefined, loaded.base.weights);
    const cola = new ColaModel(loaded.folder, base, loaded.config, loaded.weights, loaded.notes);
    const weights = new DeviceWeights(device);
    await weights.add(base.weights, base.tensors);
    await weights.add(cola.weights, cola.tensors);
    const { signal } = new AbortController();
    const context: StageContext = {
      device,
      base,
      cola,
      weights,
      seed: 7,
      resolve: (path) => path,
      cacheFolder: '',
      signal,
      say: () => undefined,
    };
    const prompts = numbered(
      Array.from({ length: sizes.prompts }, () => ({
        text: '',
        ids: Int32Array.from({ length: sizes.prompt }, () => random.integer(vocabSize)),
        row: {},
      })),
    );
    const [leaving, staying] = [new LatentActor(context, cola, false, 0), new LatentActor(context, cola, false, 0)];
    Object.defineProperty(staying, 'narrows', { value: false });
    const settings = { maxNew: sizes.answer, temperature: 1, topK: 0 };
    let tokens = 0;
    const secondsOf = async (actor: LatentActor, round: number) => {
      const before = process.cpuUsage();
      const answers = await actor.sample(startsOf(prompts, sizes.group, 7, round), settings, signal);
      const { user, system } = process.cpuUsage(before);
      tokens = answers.reduce((n, answer) => n + answer.tokens.length, 0) / answers.length;
      return (user + system) / 1e6;
    };
    const [own, other]: [number[], number[]] = [[], []];
    for (let turn = 0; turn < 2 * pairs; turn++) {
      // Every round once before it counts: the programs for fewer rows are compiled as they are needed.
      const round = turn % pairs;
      const [a, b] = [await secondsOf(leaving, round), await secondsOf(staying, round)];
      if (turn < pairs) continue;
      own.push(a);
      other.push(b);
    }
    await leaving.dispose();
    await staying.dispose();
    weights.dispose();
    const ratios = own.map((a, i) => a / other[i]);
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    return [
      {
        name: 'a rollout whose finished answers leave',
        value: median(own),
        unit: 's',
        against: `all stay to the end, ${median(other).toFixed(2)} s; pairs ${spread}`,
        ratio: median(ratios),
      },
      { name: '  tokens of an answer', value: tokens, unit: '', against: `${sizes.answer} at most` },
    ];
  },
};
