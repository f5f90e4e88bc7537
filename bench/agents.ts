/** Conversations that go on behind each answer in the same cache, against reading all that was said again for every turn. */
import { openDevice } from '../server/device/device.ts';
import { Subject } from '../server/evaluate/subject.ts';
import { Random } from '../server/random.ts';
import { resolveModel } from '../server/spec/paths.ts';
import { type Partner, sampleConversations } from '../server/train/reinforce/conversation-sampler.ts';
import { numbered, startsOf } from '../server/train/reinforce/starts.ts';
import { type Bench, median } from './measure.ts';

const sizes = { worlds: 4, start: 100, turns: 8, turn: 8, reply: 20 };
const pairs = 3;

export const agentsBench: Bench = {
  name: 'agents',
  about: `${sizes.worlds} conversations of ${sizes.turns} turns, a start of ${sizes.start} tokens, turns of ${sizes.turn} at most, replies of ${sizes.reply}, the model in the box over tokens, one thread, CPU time`,
  async run(name) {
    if (name !== 'cpu') return [];
    const { device } = await openDevice('cpu', { threads: 1 });
    const { signal } = new AbortController();
    const subject = await Subject.load(device, resolveModel('builtin:nano', ''), { decoding: 'tokens', signal });
    const actor = subject.actor(0);
    const { vocabSize } = subject.base.config;
    const random = new Random(7);
    const draw = (count: number) => Array.from({ length: count }, () => 11 + random.integer(vocabSize - 11));
    const starts = Array.from({ length: sizes.worlds }, () => draw(sizes.start));
    const said = Array.from({ length: sizes.worlds }, () =>
      Array.from({ length: sizes.turns }, () => draw(sizes.reply)),
    );
    const settings = { maxNew: sizes.turn, temperature: 0, topK: 0 };
    const maxTokens = sizes.turns * (sizes.turn + sizes.reply);
    const promptsOf = (rows: readonly number[][]) =>
      startsOf(numbered(rows.map((ids) => ({ text: '', ids: Int32Array.from(ids), row: {} }))), 1, 7, 0);
    const partners = (from: number, turns: number) =>
      said.map((replies): Partner => {
        let turn = from;
        return {
          reply: async () => ({ tokens: replies[turn], reward: 0, done: ++turn === from + turns }),
        };
      });

    const together = async () => {
      const limits = { ...settings, turns: sizes.turns, maxTokens };
      const rows = await sampleConversations(actor, promptsOf(starts), partners(0, sizes.turns), limits, signal);
      return rows.map(({ tokens }) => [...tokens]);
    };
    const again = async () => {
      const whole = starts.map((ids) => [...ids]);
      for (let turn = 0; turn < sizes.turns; turn++) {
        const limits = { ...settings, turns: 1, maxTokens };
        const rows = await sampleConversations(actor, promptsOf(whole), partners(turn, 1), limits, signal);
        for (const [i, { tokens }] of rows.entries())
          whole[i].push(...tokens, ...(turn + 1 < sizes.turns ? said[i][turn] : []));
      }
      return whole.map((ids) => ids.slice(sizes.start));
    };
    const secondsOf = async (way: () => Promise<number[][]>) => {
      const before = process.cpuUsage();
      const tokens = await way();
      const { user, system } = process.cpuUsage(before);
      return { tokens, seconds: (user + system) / 1e6 };
    };
    try {
      const [own, other]: [number[], number[]] = [[], []];
      for (let round = 0; round <= pairs; round++) {
        const [a, b] = [await secondsOf(together), await secondsOf(again)];
        if (JSON.stringify(a.tokens) !== JSON.stringify(b.tokens)) throw new Error('the two ways say different things');
        // The first compiles.
        if (round === 0) continue;
        own.push(a.seconds);
        other.push(b.seconds);
      }
      const turns = sizes.worlds * sizes.turns;
      const ratios = own.map((seconds, i) => other[i] / seconds);
      return [
        {
          name: 'turns behind the same cache',
          value: turns / median(own),
          unit: 'turns a second of a processor',
          against: `all read again for every turn, ${(turns / median(other)).toFixed(1)} (pairs ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
          ratio: median(ratios),
        },
      ];
    } finally {
      await actor.dispose();
      subject.dispose();
      await device.dispose();
    }
  },
};
