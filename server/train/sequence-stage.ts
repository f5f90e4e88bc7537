/** Stages one after the other as one: for a stage of the method that has two parts. */
import { z } from 'zod';
import type { Checkpoint } from '../store/checkpoint.ts';
import type { Evaluation, Stage, StageState, StepOutcome } from './stage.ts';

const saved = z.looseObject({ stage: z.looseObject({ part: z.int() }) });

/** Makes the parts when their turn comes, because a later one may depend on weights an earlier one has changed. */
export class SequenceStage implements Stage {
  private constructor(
    readonly name: string,
    private readonly makers: readonly { readonly steps: number; make(): Promise<Stage> }[],
    readonly trained: readonly string[],
    private part: number,
    private current: Stage,
  ) {}

  static async create(
    name: string,
    makers: readonly { readonly steps: number; make(): Promise<Stage> }[],
    trained: readonly string[],
  ): Promise<SequenceStage> {
    return new SequenceStage(name, makers, trained, 0, await makers[0].make());
  }

  get steps(): number {
    return this.makers.reduce((n, { steps }) => n + steps, 0);
  }
  get checkpointEvery(): number {
    return this.current.checkpointEvery;
  }
  get evaluateEvery(): number {
    return this.current.evaluateEvery;
  }

  /** The part a step belongs to, and its number there. */
  private locate(index: number): { part: number; own: number } {
    let own = index;
    let part = 0;
    while (part < this.makers.length - 1 && own >= this.makers[part].steps) own -= this.makers[part++].steps;
    return { part, own };
  }

  async step(index: number, signal: AbortSignal): Promise<StepOutcome> {
    const { part, own } = this.locate(index);
    await this.enter(part);
    const outcome = await this.current.step(own, signal);
    return { ...outcome, metrics: { part, ...outcome.metrics } };
  }

  private async enter(part: number): Promise<void> {
    if (part === this.part) return;
    await this.current.dispose();
    this.current = await this.makers[part].make();
    this.part = part;
  }

  async evaluate(signal: AbortSignal): Promise<Evaluation> {
    return { ...(await this.current.evaluate(signal)), part: this.part };
  }

  timeEvaluation(signal: AbortSignal): Promise<number> | undefined {
    return this.current.timeEvaluation?.(signal);
  }

  async save(): Promise<StageState> {
    const { tensors, state } = await this.current.save();
    return { tensors, state: { ...(state as object), part: this.part } };
  }

  async restore(checkpoint: Checkpoint): Promise<void> {
    await this.enter(checkpoint.state(saved).stage.part);
    await this.current.restore(checkpoint);
  }

  dispose(): Promise<void> {
    return this.current.dispose();
  }
}
