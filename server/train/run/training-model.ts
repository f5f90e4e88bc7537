/** The model of a run in memory and on its device: as its spec names it, and with what each stage makes beside it. */
import { ColaModel } from '../../cola/model.ts';
import { size } from '../../graph/tensor.ts';
import { LanguageModel, type LoadModelOptions } from '../../model/language-model.ts';
import { resolveModel } from '../../spec/document.ts';
import { basePrecision, type RunSpec, type StageSpec } from '../../spec/schema.ts';
import type { Checkpoint } from '../../store/checkpoint.ts';
import { trainErrors } from '../errors.ts';
import type { DeviceWeights } from '../optimizer/weights.ts';
import { kindOf } from '../stages/index.ts';
import { prepareBase } from './adapter.ts';
import { createBase, prepareModules } from './initialise.ts';
import { refuseDamaged } from './saved-model.ts';

export class TrainingModel {
  private constructor(
    private readonly spec: RunSpec,
    readonly base: LanguageModel,
    /** Undefined until a stage has made latent actions. */
    public cola: ColaModel | undefined,
  ) {}

  /** @throws train.modelDamaged, and whatever reading the model throws */
  static async load(
    spec: RunSpec,
    specFile: string,
    { shelf, say }: Pick<LoadModelOptions, 'shelf' | 'say'> = {},
  ): Promise<TrainingModel> {
    if (typeof spec.model !== 'string')
      return new TrainingModel(spec, createBase(spec.model, specFile, spec.seed), undefined);
    const folder = resolveModel(spec.model, specFile);
    await refuseDamaged(folder);
    const precision = basePrecision(spec);
    const under = spec.base.model === undefined ? undefined : resolveModel(spec.base.model, specFile);
    if (!ColaModel.exists(folder)) {
      const base = await LanguageModel.load(folder, { shelf, precision, base: under, say });
      return new TrainingModel(spec, prepareBase(base, spec), undefined);
    }
    const cola = await ColaModel.load(folder, { shelf, precision, base: under, say });
    const base = prepareBase(cola.base, spec);
    return new TrainingModel(spec, base, cola.on(base));
  }

  /** Takes the weights to the device, with all that the stages up to one have made. @param at the stage, by its index */
  async begin(at: number, weights: DeviceWeights): Promise<void> {
    const { base, cola, spec } = this;
    await weights.add(base.weights, base.plainTensors, base.shared);
    if (cola !== undefined) await weights.add(cola.weights, cola.tensors, cola.shared);
    for (const planned of spec.stages.slice(0, at + 1)) await this.prepare(planned, weights);
  }

  /** Makes what a stage learns, and has memory of its own for it. @throws train.needs */
  async prepare(planned: StageSpec, weights: DeviceWeights): Promise<void> {
    const { base } = this;
    const cola = prepareModules(planned, base, this.cola, this.spec.seed);
    this.cola = cola;
    if (cola !== undefined) await weights.add(cola.weights, cola.tensors, cola.shared);
    const configs = { config: base.config, cola: cola?.config };
    const learned = kindOf(planned).learns(planned.settings, configs);
    const written = learned.map(({ name }) => name);
    if (base.shared.own(written)) await weights.add(base.weights, base.plainTensors, base.shared);
    const made = (kindOf(planned).modules(planned.settings)?.makes ?? []).flatMap(
      (module) => cola?.tensorsOf(module).map(({ name }) => name) ?? [],
    );
    if (cola?.shared.own([...written, ...made])) await weights.add(cola.weights, cola.tensors, cola.shared);
    for (const extra of kindOf(planned).extras?.(planned.settings, configs) ?? []) {
      const { name, shape } = extra;
      if (!weights.has(name, shape)) await weights.add(new Map([[name, new Float32Array(size(shape))]]), [extra]);
    }
  }
}

/** Puts the weights of a checkpoint where they are trained. @throws train.checkpointMismatch */
export async function restoreWeights(checkpoint: Checkpoint, weights: DeviceWeights): Promise<void> {
  using file = checkpoint.open('weights');
  for (const name of file.names) {
    if (!weights.has(name, file.info(name).shape)) throw trainErrors.checkpointMismatch(name);
    await weights.write(name, file.readFloat32(name));
  }
}
