/**
 * The Q function over latent actions, for pruning a search (paper, appendix C): double DQN on fresh rollouts of the policy,
 * on cached h, with a target network that is copied now and then. The reward stands at the last action.
 */
import { z } from 'zod';
import { moduleWeights } from '../../cola/config.ts';
import type { ColaModel } from '../../cola/model.ts';
import type { Row } from '../../data/rows.ts';
import { ProgramCache } from '../../device/program-cache.ts';
import type { Graph } from '../../graph/tensor.ts';
import { Random } from '../../random.ts';
import { openReward } from '../../reward-model/learned-reward.ts';
import type { QSettings } from '../../spec/settings/reinforcement.ts';
import { stages } from '../../spec/stages.ts';
import type { Checkpoint } from '../../store/checkpoint.ts';
import { splitRows, templateOf, tokenizerOf } from '../data.ts';
import { Optimizer } from '../optimizer/optimizer.ts';
import { learningRate } from '../optimizer/schedule.ts';
import { AnswerCheck } from '../reinforce/answer-check.ts';
import { scoreOf } from '../reinforce/episode.ts';
import { latentPolicy } from '../reinforce/latent-actor.ts';
import { type Batch, minibatches, minibatchRows, promptsIn } from '../reinforce/policy-gradient.ts';
import type { Problems } from '../reinforce/problems.ts';
import { choicesCounted, QFunction, qObjective } from '../reinforce/q-function.ts';
import { promptMaker, promptRoom } from '../reinforce/rollout.ts';
import { type QRound, QRounds, type QWeights, QWork } from '../reinforce/shards/q-shards.ts';
import { numbered, type Start, startsOf } from '../reinforce/starts.ts';
import { reasonsOf, ScoreWatch } from '../reinforce/unscored.ts';
import { namedTensors, toWrite } from '../run/checkpointing.ts';
import { assumedPrompt, measuredBy, trainingPart } from '../run/memory-parts.ts';
import { colaOf } from '../run/model-of.ts';
import { rolloutsPart } from '../run/rollout-parts.ts';
import { type ShardWork, withEnd } from '../shards/shards.ts';
import { plannedShape, shapeKey } from '../shared-prefix.ts';
import type { Evaluation, Stage, StageContext, StageState, StepOutcome } from '../stage.ts';
import { actionsOf, allModules, type StageKind, type StageModules } from '../stage-kind.ts';
import { adamWOptions } from '../supervised.ts';

/** Share of a file's rows that is held out. */
const heldOutShare = 1 / 10;
const taskProblems = { train: 2000, test: 64 };

const saved = z.looseObject({
  stage: z.looseObject({ updates: z.int(), random: z.tuple([z.number(), z.number(), z.number(), z.number()]) }),
});

class QStage implements Stage {
  readonly name = 'q';
  private readonly random: Random;
  private readonly watch: ScoreWatch;
  private updates = 0;
  private readonly measures = new ProgramCache<string>();

  constructor(
    private readonly settings: QSettings,
    private readonly context: StageContext,
    private readonly q: QFunction,
    private readonly problems: Pick<Problems, 'prompts' | 'heldOut'>,
    private readonly optimizer: Optimizer,
    readonly trained: readonly string[],
    private readonly rounds: QRounds | undefined,
  ) {
    this.random = new Random(context.seed);
    this.watch = new ScoreWatch(context.say);
  }

  get steps(): number {
    return this.settings.steps;
  }
  get checkpointEvery(): number {
    return this.settings.checkpoint_every;
  }
  get evaluateEvery(): number {
    return this.settings.evaluate_every;
  }

  async step(index: number, signal: AbortSignal): Promise<StepOutcome> {
    const drawn = this.random.state;
    try {
      return await this.round(index, signal);
    } catch (error) {
      // Updates are not broken off, so nothing but the draws has to be taken back.
      this.random.restore(drawn);
      throw error;
    }
  }

  private async round(index: number, signal: AbortSignal): Promise<StepOutcome> {
    const { settings, random, problems } = this;
    const all = numbered(problems.prompts);
    const drawn = Array.from({ length: settings.batch }, () => all[random.integer(all.length)]);
    const starts = startsOf(drawn, settings.group, this.context.seed, index);
    const round = await (this.rounds?.run(index, starts, signal) ?? this.whole(starts, signal));
    const { results, updates } = round;
    const unscored = reasonsOf(results);
    this.watch.look(results.length, unscored);
    const schedule = {
      peak: settings.learning_rate,
      warmupSteps: settings.warmup,
      steps: settings.steps * settings.reuse,
      floor: settings.floor,
    };
    let loss = 0;
    let norm = 0;
    for (let i = 0; i < updates; i++) {
      const result = await round.update(i, learningRate(schedule, index * settings.reuse + i));
      loss += result.loss / updates;
      norm += result.gradientNorm / updates;
      this.updates++;
      if (this.updates % settings.target_every === 0) await this.copyTarget();
      round.learned();
    }
    const scores = results.flatMap((result) => scoreOf(result) ?? []);
    const reward = scores.reduce((a, b) => a + b, 0) / Math.max(1, scores.length);
    const figures = { loss, gradient_norm: norm, reward, unscored: unscored.length, updates: this.updates };
    return { metrics: { ...figures, ...this.rounds?.figures() } };
  }

  /** A round in one piece. */
  private async whole(starts: readonly Start[], signal: AbortSignal): Promise<QRound> {
    const { q, optimizer, context, settings } = this;
    const batch = await q.rollouts(starts, signal);
    const parts = minibatches(promptsIn(batch), settings.reuse, this.random);
    return {
      results: batch.rows.flatMap((row) => row?.result ?? []),
      updates: parts.length,
      async update(index, rate) {
        await context.turn?.();
        const picked = parts[index];
        const layout = q.layOut(batch, picked);
        const variant = shapeKey(layout.shape);
        await optimizer.prepare(variant, () => q.objective(layout));
        return optimizer.step([q.feeds(batch, picked, layout)], rate, variant);
      },
      learned() {},
    };
  }

  private async copyTarget(): Promise<void> {
    const { weights } = this.context;
    for (const name of this.trained) {
      if (name.startsWith('q.')) await weights.write(name.replace(/^q\./, 'q_target.'), await weights.read(name));
    }
  }

  async evaluate(signal: AbortSignal): Promise<Evaluation> {
    const { settings, context, problems } = this;
    const predicted: number[] = [];
    const actual: number[] = [];
    let [lost, counted, answers] = [0, 0, 0];
    const prompts = numbered(problems.heldOut);
    // In rounds and minibatches as they are learned from, whose programs are there already.
    for (let at = 0; at < prompts.length; at += settings.batch) {
      const starts = startsOf(prompts.slice(at, at + settings.batch), settings.group, context.seed + 1, 0);
      const batch = await this.q.rollouts(starts, signal, settings.max_new);
      const { rows } = batch;
      answers += rows.length;
      const size = minibatchRows(settings.batch * settings.group, settings.reuse);
      for (let first = 0; first < rows.length; first += size) {
        const picked = rows.flatMap((_, b) => (b >= first && b < first + size ? b : []));
        const { loss, values } = await this.measure(batch, picked);
        const weight = picked.reduce((n, b) => n + choicesCounted(batch, b), 0);
        lost += weight * loss;
        counted += weight;
        for (const [k, b] of picked.entries()) {
          const row = rows[b];
          const score = row === undefined ? undefined : scoreOf(row.result);
          if (row === undefined || score === undefined) continue;
          predicted.push(values[k * batch.length + row.choices.length - 1]);
          actual.push(score);
        }
      }
    }
    const loss = lost / Math.max(1, counted);
    if (actual.length > 0) this.watch.scored();
    const fit = correlation(predicted, actual);
    return {
      metrics: { held_out_loss: loss, held_out_correlation: fit, held_out_unscored: answers - actual.length },
      score: -loss,
    };
  }

  /** The loss of some rows of a batch, and Q of what they chose. */
  private async measure(batch: Batch, picked: readonly number[]): Promise<{ loss: number; values: Float32Array }> {
    const layout = this.q.layOut(batch, picked);
    const program = await this.measures.get(shapeKey(layout.shape), () => {
      const { loss, metrics } = this.q.objective(layout);
      return this.context.device.compile({ loss, ...metrics });
    });
    const out = await program.run(this.q.feeds(batch, picked, layout), { states: [this.context.weights.state] });
    const [loss] = await out.loss.readFloats();
    const values = (await out.values.readFloats()).slice();
    for (const buffer of Object.values(out)) buffer.release();
    return { loss, values };
  }

  async save(): Promise<StageState> {
    const { tensors, updates } = await this.optimizer.save();
    return { tensors: toWrite(tensors), state: { updates, random: this.random.state } };
  }

  async restore(checkpoint: Checkpoint): Promise<void> {
    const { stage } = checkpoint.state(saved);
    await this.optimizer.restore(namedTensors(checkpoint, 'optimiser'), stage.updates);
    this.updates = stage.updates;
    this.random.restore(stage.random);
  }

  async dispose(): Promise<void> {
    await this.rounds?.close();
    await this.optimizer.dispose();
    await this.measures.dispose();
    await this.q.dispose();
  }
}

/** Pearson's correlation; 0 where one side does not vary. */
export function correlation(x: readonly number[], y: readonly number[]): number {
  const mean = (v: readonly number[]) => v.reduce((a, b) => a + b, 0) / Math.max(1, v.length);
  const [mx, my] = [mean(x), mean(y)];
  const sum = (f: (i: number) => number) => x.reduce((n, _, i) => n + f(i), 0);
  const scale = Math.sqrt(sum((i) => (x[i] - mx) ** 2) * sum((i) => (y[i] - my) ** 2));
  return scale === 0 ? 0 : sum((i) => (x[i] - mx) * (y[i] - my)) / scale;
}

async function createQ(settings: QSettings, context: StageContext): Promise<Stage> {
  const cola = colaOf(context, 'q', allModules(modules));
  const tokenizer = tokenizerOf(context);
  const template = templateOf(context);
  const room = promptRoom(context.base.config, settings.max_new);
  const make = promptMaker(tokenizer, template, settings.chat, room);
  const check = new AnswerCheck(settings.prompts, settings.reward);
  const convert = (row: Row) => check.pass(make(row), row);
  const rows = await splitRows(settings.prompts, undefined, context, heldOutShare, taskProblems, convert);
  check.tell(context);
  const prompts = rows.train;
  const heldOut = rows.heldOut.slice(-taskProblems.test);
  const weights = weightsOf(cola);
  const { state } = context.weights;
  const optimizer = await Optimizer.create(
    context.device,
    undefined,
    weights.learned,
    state,
    [],
    adamWOptions(settings),
    context,
  );
  // Last: it may run helper processes, which somebody has to end.
  const reward = await openReward(settings.reward, context.resolve('.'));
  const own = new QFunction(context, cola, settings, reward);
  const rounds = QRounds.of(context, settings, own, weights, optimizer);
  return new QStage(settings, context, own, { prompts, heldOut }, optimizer, weights.changed, rounds);
}

function weightsOf(cola: ColaModel): QWeights {
  const names = (module: 'q' | 'q_target') => cola.tensorsOf(module).map(({ name }) => name);
  const learned = names('q');
  return { learned, changed: [...learned, ...names('q_target')] };
}

async function hireQ(settings: QSettings, context: StageContext): Promise<ShardWork> {
  const cola = colaOf(context, 'q', allModules(modules));
  const own = new QFunction(context, cola, settings, await openReward(settings.reward, context.resolve('.')));
  return withEnd(new QWork(context, settings, own, weightsOf(cola)), () => own.dispose());
}

const modules: StageModules = { needs: ['world', 'policy'], makes: ['q', 'q_target'] };

export const q: StageKind<QSettings> = {
  ...stages.q,
  modules: () => modules,
  learns: (_, configs) => moduleWeights(configs.config, actionsOf(configs)).q,
  parts(settings, configs, length = assumedPrompt + settings.max_new) {
    const latent = { ...configs, cola: actionsOf(configs) };
    const { step, added, learns } = latentPolicy(latent.config, latent.cola, false, 0);
    const samples = settings.batch * settings.group;
    const updated = minibatchRows(samples, settings.reuse);
    const together = Math.min(settings.group, updated);
    const prompt = Math.max(1, length - settings.max_new);
    const groups = Math.ceil(updated / together);
    const planned = plannedShape(groups, together, prompt, settings.max_new, latent.config.hiddenSize);
    const update = (graph: Graph, rows: number, t: number) =>
      qObjective(graph, latent, settings, { ...planned, rows, length: t, samples: rows * planned.perRow });
    return [
      rolloutsPart(latent.config, {
        prompts: settings.batch,
        group: settings.group,
        prompt,
        behind: settings.max_new,
        step,
        added,
        learns,
        keepsHidden: true,
      }),
      trainingPart({
        rows: updated,
        length,
        laidOut: () => planned,
        learns: q.learns(settings, configs),
        objective: update,
        measured: (graph, rows, t) => measuredBy(update(graph, rows, t)),
      }),
    ];
  },
  create: createQ,
  hire: hireQ,
};
