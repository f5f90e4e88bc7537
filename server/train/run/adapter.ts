/** The base of a run with the adapter that its stages train, or without one where they train the base itself. */
import { adaptersOf } from '../../model/adapter/adapter.ts';
import type { ModelConfig } from '../../model/config/config.ts';
import type { LanguageModel } from '../../model/language-model.ts';
import { adapterOf, type RunSpec, trainsBase } from '../../spec/schema.ts';
import { trainErrors } from '../errors.ts';

/** @throws train.otherAdapter where the model comes with an adapter and the spec asks for another */
export function prepareBase(base: LanguageModel, spec: RunSpec): LanguageModel {
  const lora = adapterOf(spec);
  if (lora === undefined) return trainsBase(spec) ? base.merged() : base;
  const adapted = base.adapted(lora, spec.seed);
  if (adapted === undefined) throw trainErrors.otherAdapter(base.adapter?.folder ?? base.folder);
  return adapted;
}

/** The configuration of {@link prepareBase}. */
export function preparedConfig(config: ModelConfig, spec: RunSpec): ModelConfig {
  const lora = adapterOf(spec);
  if (lora !== undefined) return { ...config, adapters: config.adapters ?? adaptersOf(config, lora) };
  const { adapters: _, ...merged } = config;
  return trainsBase(spec) ? merged : config;
}
