/**
 * Learning rates where a spec names none. Those of the stages were tuned on the model in the box, which is 320 wide. Of AdamW the
 * best rate of a matrix falls as 1 / its width (Tensor Programs V, arXiv 2203.03466, table 3), so that a wider model gets 320 / width
 * of it; the paper's rates at d = 4096 are near that. A narrower one gets no more than was tried.
 */
import { tunedWidth } from './settings/parts.ts';
import { type StageSpec, stageOf } from './stages.ts';

/** Width d of the base, and w of the modules of latent actions. */
export interface Widths {
  readonly base: number;
  readonly modules: number;
}

/** @param tuned the rate at a width of {@link tunedWidth} */
export const rateAt = (tuned: number, width: number): number =>
  Number((tuned * Math.min(1, tunedWidth / width)).toPrecision(3));

/** Names of the rates that a stage is not given, with what they are at {@link tunedWidth}. */
function missing(stage: StageSpec): (readonly [name: string, tuned: number, of: unknown])[] {
  const settings = stage.settings as Readonly<Record<string, unknown>>;
  return Object.entries(stageOf(stage).settings.shape).flatMap(([name, schema]) => {
    const { tuned, of } = schema.meta() ?? {};
    return typeof tuned === 'number' && settings[name] === undefined ? [[name, tuned, of] as const] : [];
  });
}

export const lacksRate = (stage: StageSpec): boolean => missing(stage).length > 0;

/**
 * A stage with all its learning rates. What an adapter learns does not get narrower with the base: its rate is that of any width
 * (LoRA, arXiv 2106.09685, appendix D, has 2e-4 at d = 12288).
 */
export function ratedStage<S extends StageSpec>(stage: S, { base, modules }: Widths): S {
  const { trainsBase, lora } = stageOf(stage);
  const found = missing(stage).map(([name, tuned, of]) => {
    if (of !== 'modules' && lora?.(stage.settings) !== undefined) return [name, tuned];
    const width = of !== 'modules' && trainsBase?.(stage.settings) === true ? base : modules;
    return [name, rateAt(tuned, width)];
  });
  return { ...stage, settings: { ...stage.settings, ...Object.fromEntries(found) } };
}
