import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ColaModel } from '../../../server/cola/model.ts';
import { headOn } from '../../../server/cola/modules.ts';
import type { Device } from '../../../server/device/device.ts';
import { Graph } from '../../../server/graph/tensor.ts';
import { hiddenStates, languageHead } from '../../../server/model/base.ts';
import { causalContext } from '../../../server/model/block.ts';
import { Random } from '../../../server/random.ts';
import {
  type Conversation,
  type ConversationSettings,
  type Partner,
  sampleConversations,
} from '../../../server/train/reinforce/conversation-sampler.ts';
import type { Judged } from '../../../server/train/reinforce/episode.ts';
import { LatentActor, logProbability } from '../../../server/train/reinforce/latent-actor.ts';
import {
  creditOf,
  layOut,
  type PolicyGradientSettings,
  ReferencePolicy,
} from '../../../server/train/reinforce/policy-gradient.ts';
import { numbered, startsOf } from '../../../server/train/reinforce/starts.ts';
import { TokenActor, trainedOf } from '../../../server/train/reinforce/token-actor.ts';
import type { StageContext } from '../../../server/train/stage.ts';
import { itMainly, itOnce, onEachDevice } from '../../support/devices.ts';
import { assertClose } from '../../support/reference.ts';
import { contextOf, promptOf, toyModel, toySettings } from '../../support/toy-world.ts';

const { signal } = new AbortController();
const random = new Random(4);
const prompts = [1, 3, 25].map((length) => promptOf(Array.from({ length }, () => 3 + random.integer(90))));
const settings: ConversationSettings = { maxNew: 4, temperature: 1.3, topK: 0, turns: 4, maxTokens: 60 };
const group = 3;
const starts = startsOf(numbered(prompts), group, 21, 0);

/** Says one to twelve tokens that follow from what was written, and is content at the third answer of some. */
class Echo implements Partner {
  private count = 0;

  async reply(written: readonly number[]) {
    this.count++;
    const sum = written.reduce((a, b) => a + b, this.count);
    const tokens = Array.from({ length: 1 + (sum % 12) }, (_, i) => 3 + ((sum + 7 * i) % 90));
    return { tokens, reward: this.count / 4, done: this.count === 3 && sum % 2 === 0 };
  }
}
const echoes = (count = starts.length * group): Partner[] => Array.from({ length: count }, () => new Echo());

/**
 * Logits of the policy and h at every place of whole sequences, without a cache. All are read by one program, of the length of the
 * longest: no token sees what stands behind it, and compiling a program is most of what a pass costs.
 */
async function whole(context: StageContext, cola: ColaModel, latent: boolean, sequences: readonly number[][]) {
  const { config } = cola.base;
  const graph = new Graph();
  const length = Math.max(...sequences.map((ids) => ids.length));
  const attention = causalContext(graph, config, 1, length);
  const { h } = hiddenStates(graph, config, graph.input('ids', 'int32', [1, length]), attention);
  const logits = latent ? headOn(graph, config, cola.config, 'policy', h, attention) : languageHead(graph, config, h);
  const program = await context.device.compile({ h, logits });
  const values: { h: Float32Array; logits: Float32Array }[] = [];
  for (const sequence of sequences) {
    const ids = Int32Array.from({ length }, (_, t) => sequence[t] ?? 0);
    const out = await program.run({ ids }, { states: [context.weights.state] });
    values.push({ h: (await out.h.readFloats()).slice(), logits: (await out.logits.readFloats()).slice() });
    for (const buffer of Object.values(out)) buffer.release();
  }
  await program.dispose();
  return values;
}

const judged = (rows: readonly Conversation[]): Judged[] =>
  rows.map((row) => ({
    ...row,
    completion: '',
    result:
      row.failed === undefined
        ? { value: row.turns.reduce((n, { reward }) => n + reward, 0), parts: {} }
        : { noScore: row.failed },
  }));

onEachDevice((device: () => Device, name) => {
  describe('conversations', function () {
    this.timeout(300_000);
    let cola: ColaModel;
    let context: StageContext;
    let actors: (LatentActor | TokenActor)[];

    before(async () => {
      cola = await toyModel();
      context = await contextOf(device(), cola, 1);
      actors = [
        new LatentActor(context, cola, false, 0),
        new TokenActor(context, trainedOf(cola.base, undefined), false),
      ];
    });
    after(async () => {
      for (const actor of actors) await actor.dispose();
      context.weights.dispose();
    });

    itMainly(
      name,
      'have the log-probabilities and the states of one pass over the whole, in rollouts and in updates',
      async () => {
        // On a WebGPU in software the short form has the actor over actions, which reads, steps and updates by the base as that over tokens.
        const both = name === 'cpu' || process.env.COLA_SLOW === '1';
        for (const actor of both ? actors : actors.slice(0, 1)) {
          const rows = await sampleConversations(actor, starts, echoes(), settings, signal);
          assert(rows.some(({ turns }) => turns.length === 4));
          assert(rows.some(({ tokens, choices }) => tokens.length > choices.length + 10));
          const sequences = rows.map(({ prompt, tokens }) => [...prompt.ids, ...tokens]);
          const passes = await whole(context, cola, actor.latent, sequences);
          for (const [i, row] of rows.entries()) {
            const { h, logits } = passes[i];
            const first = row.prompt.ids.length - 1;
            const expected = row.choices.map((choice, j) => {
              const at = (first + row.written[j]) * actor.choices;
              return logProbability(logits.subarray(at, at + actor.choices), choice, settings.temperature);
            });
            assertClose(row.logp, expected, 1e-4);
            if (actor.latent) {
              assert.equal(row.hidden.length, (first + row.tokens.length) * actor.width);
              assertClose(row.hidden, h.subarray(0, row.hidden.length), 1e-4);
            }
          }
          const reference = await ReferencePolicy.create(context, actor, settings.temperature, new Map());
          const batch = layOut(judged(rows));
          assertClose(await reference.logProbabilities(batch, false), batch.logpOld, 1e-4);
          await reference.dispose();
        }
      },
    );

    itOnce(name, 'hold apart what the policy wrote and what was said to it', async () => {
      for (const actor of actors) {
        const rows = await sampleConversations(actor, starts, echoes(), settings, signal);
        for (const { tokens, written, choices, turns, logp } of rows) {
          assert.deepEqual([written.length, logp.length], [choices.length, choices.length]);
          assert.equal(written.at(-1), tokens.length - 1);
          assert.equal(turns.at(-1)?.end, choices.length);
          // Said again by the partner, the conversation is the same.
          const partner = new Echo();
          let at = 0;
          for (const [k, { end, reward }] of turns.entries()) {
            const own = written.slice(turns[k - 1]?.end ?? 0, end);
            assert.deepEqual(
              own,
              own.map((_, i) => at + i),
            );
            const reply = await partner.reply(own.map((i) => tokens[i]));
            assert.equal(reward, reply.reward);
            at += own.length;
            if (k === turns.length - 1) break;
            assert.deepEqual(tokens.slice(at, at + reply.tokens.length), reply.tokens);
            at += reply.tokens.length;
          }
          if (!actor.latent)
            assert.deepEqual(
              written.map((i) => tokens[i]),
              choices,
            );
        }
      }
    });

    itOnce(name, 'are the same for their seeds, whoever talks beside them', async () => {
      for (const actor of actors) {
        const rows = await sampleConversations(actor, starts, echoes(), settings, signal);
        assert(new Set(rows.map(({ tokens }) => tokens.join())).size > 6, 'they differ');
        const some = [starts[2], starts[0]].map(({ prompt, seeds }) => ({ prompt, seeds: seeds.slice(1) }));
        for (const row of await sampleConversations(actor, some, echoes(4), settings, signal)) {
          const same = rows.find(({ seed }) => seed === row.seed)!;
          assert.deepEqual([row.tokens, row.choices, row.turns], [same.tokens, same.choices, same.turns]);
        }
      }
    });

    itOnce(name, 'keep within turns and tokens', async () => {
      for (const actor of actors) {
        const tight = { ...settings, turns: 50, maxTokens: 17 };
        const rows = await sampleConversations(actor, starts, echoes(), tight, signal);
        for (const { tokens } of rows) assert(tokens.length <= 17, `${tokens.length}`);
        assert(rows.some(({ finished, tokens }) => !finished && tokens.length > 8));
        const short = await sampleConversations(actor, starts, echoes(), { ...settings, turns: 2 }, signal);
        for (const { turns } of short) assert.equal(turns.length, 2);
      }
    });

    itOnce(name, 'end a turn where they are told to', async () => {
      for (const actor of actors) {
        const rows = await sampleConversations(
          actor,
          starts,
          echoes(),
          { ...settings, endsTurn: (t) => t % 2 === 0 },
          signal,
        );
        for (const { tokens, written, turns } of rows) {
          for (const [k, { end }] of turns.entries()) {
            const own = written.slice(turns[k - 1]?.end ?? 0, end).map((i) => tokens[i]);
            assert(
              own.slice(0, -1).every((t) => t % 2 === 1),
              own.join(' '),
            );
          }
        }
      }
    });

    itOnce(name, 'go on while a slow partner thinks, with the same words', async () => {
      const order: number[] = [];
      const others = new EventTarget();
      const second = once(others, 'second answers');
      const slow = echoes().map(
        (echo, i): Partner => ({
          async reply(written, ended, own) {
            // It waits for the second answers of others, which do not come if they wait for it.
            if (i === 4) await second;
            order.push(i);
            if (order.length > starts.length * group) others.dispatchEvent(new Event('second answers'));
            return echo.reply(written, ended, own);
          },
        }),
      );
      const actor = actors[0];
      const plain = await sampleConversations(actor, starts, echoes(), settings, signal);
      const rows = await sampleConversations(actor, starts, slow, settings, signal);
      assert.deepEqual(
        rows.map(({ tokens }) => tokens),
        plain.map(({ tokens }) => tokens),
      );
      // The others had their second answer before the slow one gave its first.
      assert(order.indexOf(4) > starts.length * group, order.join(' '));
    });

    itOnce(name, 'begin the next turn with the others, where an answer comes in the middle of theirs', async () => {
      const middle = new EventTarget();
      const came = once(middle, 'second turns');
      let [answered, steps] = [0, 0];
      const late = echoes().map(
        (echo, i): Partner => ({
          async reply(written, ended, own) {
            if (i === 4) await came;
            else answered++;
            return echo.reply(written, ended, own);
          },
        }),
      );
      // The others are in their second turn, and have written some of it.
      const turn = async () => {
        if (answered === starts.length * group - 1 && ++steps === 3) middle.dispatchEvent(new Event('second turns'));
        await new Promise(setImmediate);
      };
      const plain = await sampleConversations(actors[0], starts, echoes(), settings, signal);
      const rows = await sampleConversations(actors[0], starts, late, settings, signal, turn);
      assert.ok(steps >= 3);
      assert.deepEqual(
        rows.map(({ tokens, turns }) => ({ tokens, turns })),
        plain.map(({ tokens, turns }) => ({ tokens, turns })),
      );
    });

    itOnce(name, 'without an answer are left out of updates, and the others are not', async () => {
      const partners = echoes().map(
        (echo, i): Partner => (i === 1 ? { reply: () => Promise.reject(new Error('gone')) } : echo),
      );
      const rows = judged(await sampleConversations(actors[0], starts, partners, settings, signal));
      assert.deepEqual(rows[1].result, { noScore: 'Error: gone' });
      assert.equal(rows.filter(({ result }) => 'noScore' in result).length, 1);
      const batch = layOut(rows);
      for (const [b, row] of rows.entries()) {
        const counted = batch.mask.subarray(b * batch.length, (b + 1) * batch.length).reduce((a, x) => a + x, 0);
        assert.equal(counted, b === 1 ? 0 : row.choices.length);
      }
    });

    itOnce(name, 'stop with the signal, even in the middle of an answer', async () => {
      const before = { ...device().ledger };
      const stop = new AbortController();
      const reply = () => {
        setImmediate(() => stop.abort());
        return new Promise<never>(() => {});
      };
      const silent = echoes().map((): Partner => ({ reply }));
      await assert.rejects(sampleConversations(actors[0], starts, silent, settings, stop.signal), {
        name: 'AbortError',
      });
      assert.equal(device().ledger.buffers, before.buffers);
    });
  });
});

describe('what turns earn', () => {
  const row = (turns: Judged['turns']): Judged => {
    const choices = Array.from({ length: turns.at(-1)!.end }, (_, i) => i);
    const value = turns.reduce((n, { reward }) => n + reward, 0);
    return {
      prompt: promptOf([1]),
      group: 0,
      seed: 0,
      tokens: choices,
      written: choices,
      choices,
      logp: choices.map(() => -1),
      values: choices.map(() => 0),
      hidden: new Float32Array(0),
      banned: [],
      finished: true,
      turns,
      completion: '',
      result: { value, parts: {} },
    };
  };
  const rows = [
    row([
      { end: 2, reward: 0.5 },
      { end: 3, reward: 1 },
    ]),
    row([
      { end: 1, reward: 0 },
      { end: 3, reward: 0.25 },
    ]),
  ];
  const credit = (algorithm: PolicyGradientSettings['algorithm'], gamma: number) => {
    const batch = layOut(rows);
    const own = toySettings({ max_new: 4, algorithm, gamma, kl: 0, whiten: false });
    return [...creditOf(batch, batch.logpOld, undefined, own).advantages];
  };

  it('stands where it was earned, where values are learned', () => {
    assertClose(credit('ppo', 0.5), [0.5 * (0.5 + 0.5), 0.5 + 0.5, 1, 0, 0.0625, 0.125, 0.25, 0], 1e-12);
  });

  it('counts as a whole, where samples are compared', () => {
    const z = 1 / Math.SQRT2;
    assertClose(credit('grpo', 1), [z, z, z, 0, -z, -z, -z, 0], 1e-6);
  });
});
