/**
 * The loss of a person's own text under the marginal language model (paper, appendix D.4): what no event has a say in, and
 * tuning must not spoil. The world model does not learn here, so what it says of a place is computed once.
 */
import type { ColaModel } from '../../cola/model.ts';
import { worldModelAll } from '../../cola/modules.ts';
import type { Program } from '../../device/program.ts';
import { ProgramCache } from '../../device/program-cache.ts';
import { logSumExp } from '../../graph/functions.ts';
import * as ops from '../../graph/ops.ts';
import type { StageContext } from '../stage.ts';
import { batchesOf } from './batch.ts';
import { anchorAt, type Lesson } from './lessons.ts';

/** Places of the text that are looked at, and how many of them in one run. */
const places = 128;
const chunk = 16;
/** Tokens before a place that is looked at: with less, everything is a surprise. */
const leastContext = 8;

/** What the probe asks of whoever has the policy. */
export interface LessonReader {
  /** h of a lesson's row, `[S,d]`. */
  states(lesson: Lesson): Float32Array;
  /** Logits at the decisions of each lesson, `[D,N]`. */
  logits(lessons: readonly Lesson[], states: (lesson: Lesson) => Float32Array): Promise<Float32Array[]>;
  /** Lets others go first. @throws the signal's reason */
  pause(): Promise<void>;
}

/** log p_world(x | a) of the token that follows a place, for every code a: `[N]`, by position. */
type Said = Map<number, Float32Array>;

export class TextProbe {
  private readonly programs = new ProgramCache<'world'>();
  private readonly known = new WeakMap<Lesson, Said>();

  constructor(
    private readonly context: StageContext,
    private readonly cola: ColaModel,
    private readonly batch: number,
  ) {}

  /** Mean -log p of the text before the lessons' alternatives, in nats a token; null where there is none. */
  async loss(lessons: readonly Lesson[], reader: LessonReader): Promise<number | null> {
    const all = lessons.flatMap((lesson) =>
      Array.from({ length: Math.max(0, lesson.start - 1 - leastContext) }, (_, i) => ({
        lesson,
        position: leastContext + i,
      })),
    );
    const picked = all.filter((_, i) => i % Math.max(1, Math.ceil(all.length / places)) === 0);
    if (picked.length === 0) return null;
    await this.read(picked, reader);
    const probes = new Map<Lesson, Lesson>();
    for (const lesson of new Set(picked.map((place) => place.lesson))) {
      const own = picked.filter((place) => place.lesson === lesson);
      probes.set({ ...lesson, decisions: own.map(({ position }) => anchorAt(position)) }, lesson);
    }
    const original = (probe: Lesson) => probes.get(probe) ?? probe;
    const n = this.cola.config.numCodes;
    let sum = 0;
    for (const some of batchesOf([...probes.keys()], this.batch)) {
      await reader.pause();
      const logits = await reader.logits(some, (probe) => reader.states(original(probe)));
      for (const [i, probe] of some.entries()) {
        const said = this.known.get(original(probe));
        for (const [k, { position }] of probe.decisions.entries()) {
          const world = said?.get(position);
          if (world === undefined) throw new Error(`the place ${position} has not been read`);
          sum -= marginal(logits[i].subarray(k * n, (k + 1) * n), world);
        }
      }
    }
    return sum / picked.length;
  }

  /** Asks the world model about places that it has not been asked about. */
  private async read(picked: readonly { lesson: Lesson; position: number }[], reader: LessonReader): Promise<void> {
    const fresh = picked.filter(({ lesson, position }) => this.known.get(lesson)?.has(position) !== true);
    if (fresh.length === 0) return;
    const d = this.cola.base.config.hiddenSize;
    const n = this.cola.config.numCodes;
    const program = await this.programs.get('world', () => this.compile());
    for (let at = 0; at < fresh.length; at += chunk) {
      await reader.pause();
      const some = fresh.slice(at, at + chunk);
      const feeds = { h: new Float32Array(chunk * d), targets: new Int32Array(chunk * n) };
      for (const [i, { lesson, position }] of some.entries()) {
        feeds.h.set(reader.states(lesson).subarray(position * d, (position + 1) * d), i * d);
        feeds.targets.fill(lesson.row.ids[position + 1], i * n, (i + 1) * n);
      }
      const { logp } = await program.run(feeds, { states: [this.context.weights.state] });
      const values = await logp.readFloats();
      logp.release();
      for (const [i, { lesson, position }] of some.entries()) {
        const said: Said = this.known.get(lesson) ?? new Map();
        said.set(position, values.slice(i * n, (i + 1) * n));
        this.known.set(lesson, said);
      }
    }
  }

  private compile(): Promise<Program> {
    const { base, config } = this.cola;
    return this.context.device.program((graph) => {
      const h = graph.input('h', 'float32', [chunk, base.config.hiddenSize]);
      const targets = graph.input('targets', 'int32', [chunk, config.numCodes]);
      const logits = worldModelAll(graph, base.config, config, h);
      return { logp: ops.sub(ops.pick(logits, targets), logSumExp(logits)) };
    });
  }

  dispose(): Promise<void> {
    return this.programs.dispose();
  }
}

/** log sum_a pi(a) p(x | a), of logits of pi and log p(x | a). */
function marginal(logits: Float32Array, world: Float32Array): number {
  const joint = logits.map((logit, a) => logit + world[a]);
  return logSum(joint) - logSum(logits);
}

function logSum(values: Float32Array): number {
  const top = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return top + Math.log(values.reduce((sum, x) => sum + Math.exp(x - top), 0));
}
