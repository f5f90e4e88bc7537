/** The learning rates of a run, which depend on the widths of its model. */
import { widthOf } from '../../cola/config.ts';
import { lacksRate, ratedStage } from '../../spec/rates.ts';
import type { RunSpec } from '../../spec/schema.ts';
import { kindOf } from '../stages/index.ts';
import { configsOfSpec } from './spec-memory.ts';

/**
 * A spec whose stages have all their learning rates, so that a run goes on with those that it began with.
 *
 * @param file that its paths are relative to
 * @throws whatever reading the model's configuration throws, where a rate is missing
 */
export async function ratedSpec(spec: RunSpec, file: string): Promise<RunSpec> {
  if (!spec.stages.some(lacksRate)) return spec;
  const { config, cola } = await configsOfSpec(spec, file);
  let actions = cola;
  const stages = spec.stages.map((stage) => {
    actions = kindOf(stage).actions?.(stage.settings).config ?? actions;
    const modules = actions === undefined ? config.hiddenSize : widthOf(config, actions);
    return ratedStage(stage, { base: config.hiddenSize, modules });
  });
  return { ...spec, stages };
}
