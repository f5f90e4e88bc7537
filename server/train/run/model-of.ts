import type { ModuleName } from '../../cola/config.ts';
import type { ColaModel } from '../../cola/model.ts';
import { trainErrors } from '../errors.ts';
import type { StageContext } from '../stage.ts';

/** The model with the modules a stage works on. @throws train.needs */
export function colaOf(context: StageContext, stage: string, modules: readonly ModuleName[]): ColaModel {
  const { cola } = context;
  if (cola === undefined) throw trainErrors.needs(stage, 'latent actions: the model has none yet');
  for (const module of modules) {
    if (!cola.has(module)) throw trainErrors.needs(stage, `the module "${module}", which has not been trained yet`);
  }
  return cola;
}
