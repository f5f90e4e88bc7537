/** Reinforcement over tokens: the baseline. The base itself learns, all of it or its last blocks, and reads everything again in an update. */

import type { Graph } from '../graph/tensor.ts';
import { hiddenStates, languageHead } from '../model/base.ts';
import { causalContext } from '../model/block.ts';
import type { LanguageModel } from '../model/language-model.ts';
import { baseStep } from '../model/language-model.ts';
import { sample } from '../model/sampling.ts';
import { type KeyValueCache, Stepper } from '../model/step.ts';
import type { Random } from '../random.ts';
import type { Actor, ActorGraph } from './actor.ts';
import { logProbability, outside } from './latent-actor.ts';
import type { Prompt, RolloutSettings, Trajectory } from './rollout.ts';
import type { StageContext } from './stage.ts';
import type { Feeds } from './supervised.ts';

/** Weights of the base that train: all, or those of the last `blocks` blocks with the final norm and the head. */
export function trainedOf(base: LanguageModel, blocks: number | undefined): string[] {
  const names = base.tensors.map(({ name }) => name);
  if (blocks === undefined) return names;
  const first = base.config.layers - blocks;
  return names.filter((name) => {
    const layer = /^model\.layers\.(\d+)\./.exec(name);
    return layer === null
      ? name !== 'model.embed_tokens.weight' || base.config.tieWordEmbeddings
      : Number(layer[1]) >= first;
  });
}

const nothing = new Float32Array(0);

interface Row {
  readonly prompt: Prompt;
  readonly group: number;
  readonly tokens: number[];
  readonly logp: number[];
  readonly banned: Uint8Array[];
  finished: boolean;
}

export class TokenActor implements Actor {
  readonly choices: number;
  private readonly stepper: Stepper;
  private readonly endIds: ReadonlySet<number>;

  constructor(
    private readonly context: StageContext,
    readonly trained: readonly string[],
  ) {
    const { base, device, weights } = context;
    this.choices = base.config.vocabSize;
    this.endIds = base.endIds;
    const frozen = new Map([...base.weights].filter(([name]) => !trained.includes(name)));
    this.stepper = new Stepper(device, base.config, baseStep(base.config), [weights.state], frozen);
  }

  async rollout(
    prompts: readonly Prompt[],
    group: number,
    settings: RolloutSettings,
    random: Random,
    signal: AbortSignal,
  ): Promise<Trajectory[]> {
    const room = Math.max(...prompts.map(({ ids }) => ids.length)) + settings.maxNew;
    const rows: Row[] = prompts.flatMap((prompt, g) =>
      Array.from({ length: group }, () => ({ prompt, group: g, tokens: [], logp: [], banned: [], finished: false })),
    );
    const prefixes = prompts.map(({ ids }) => ids.subarray(0, ids.length - 1));
    const shared = await this.stepper.cache(prompts.length, room);
    let cache = shared;
    try {
      if (prefixes.some((prefix) => prefix.length > 0)) {
        const { logits } = await this.stepper.advance(shared, prefixes);
        logits.release();
      }
      if (group > 1) {
        const places = rows.map((row) => row.group);
        cache = await this.stepper.select(shared, places, room);
        shared.dispose();
      }
      await this.answer(rows, cache, settings, random, signal);
    } finally {
      cache.dispose();
    }
    return rows.map((row) => ({ ...row, choices: row.tokens, values: [], hidden: nothing }));
  }

  /** Decodes until every row has ended. The caches have read the prompts but for their last tokens. */
  private async answer(
    rows: readonly Row[],
    cache: KeyValueCache,
    settings: RolloutSettings,
    random: Random,
    signal: AbortSignal,
  ): Promise<void> {
    const { topK } = settings;
    const sampling = { temperature: settings.temperature, topK, topP: 1 };
    const temperature = settings.temperature === 0 ? 1 : settings.temperature;
    const cut = topK > 0 && topK < this.choices;
    let next: ArrayLike<number>[] = rows.map(({ prompt }) => prompt.ids.subarray(prompt.ids.length - 1));
    for (let t = 0; t < settings.maxNew && rows.some((row) => !row.finished); t++) {
      await this.context.turn?.();
      signal.throwIfAborted();
      const { logits } = await this.stepper.advance(cache, next);
      const values = await logits.readFloats();
      logits.release();
      next = rows.map((row, b) => {
        if (row.finished) return [0];
        const token = sample(values, b * this.choices, this.choices, sampling, random);
        const own = values.subarray(b * this.choices, (b + 1) * this.choices);
        const banned = cut ? outside(own, topK) : undefined;
        row.tokens.push(token);
        row.logp.push(logProbability(own, token, temperature, banned));
        if (banned !== undefined) row.banned.push(banned);
        row.finished = this.endIds.has(token);
        return [token];
      });
    }
  }

  build(graph: Graph, batch: number, length: number): ActorGraph {
    const { config } = this.context.base;
    const ids = graph.input('ids', 'int32', [batch, length]);
    const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, batch, length));
    return { logits: languageHead(graph, config, h) };
  }

  feeds(trajectories: readonly (Trajectory | undefined)[], length: number): Feeds {
    const ids = new Int32Array(trajectories.length * length);
    for (const [b, trajectory] of trajectories.entries()) {
      if (trajectory === undefined) continue;
      ids.set(trajectory.prompt.ids, b * length);
      ids.set(trajectory.tokens.slice(0, -1), b * length + trajectory.prompt.ids.length);
    }
    return { ids };
  }

  dispose(): Promise<void> {
    return this.stepper.dispose();
  }
}
