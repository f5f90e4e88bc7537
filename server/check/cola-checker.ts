/** What every part of the check of a CoLA folder needs: the model on the device, the reference values, and how to compare. */
import type { ColaModel } from '../cola/model.ts';
import type { Device } from '../device/device.ts';
import type { Feed, State } from '../device/program.ts';
import { gradient } from '../graph/gradient.ts';
import type { Graph, Tensor } from '../graph/tensor.ts';
import { hiddenStates } from '../model/base.ts';
import { type AttentionContext, causalContext } from '../model/block.ts';
import { uploadWeights } from '../model/language-model.ts';
import { gradientGroup, readAll } from './base.ts';
import type { Comparer, Measure } from './comparison.ts';
import { type FixtureHyper, parseHyper } from './hyper.ts';
import type { Reference } from './reference.ts';

/** Limits of test/fixtures/cola/README.md, section 11. */
const forwardLimit = 1e-4;
const gradientLimit = 5e-4;
const scalarLimit = 1e-5;

export class ColaChecker {
  readonly hyper: FixtureHyper;
  readonly batch: number;
  readonly length: number;

  private constructor(
    readonly device: Device,
    readonly model: ColaModel,
    readonly reference: Reference,
    readonly comparer: Comparer,
    readonly state: State,
  ) {
    this.hyper = parseHyper(model.notes, model.folder);
    [this.batch, this.length] = reference.shape('in.input_ids');
  }

  static async create(
    device: Device,
    model: ColaModel,
    reference: Reference,
    comparer: Comparer,
  ): Promise<ColaChecker> {
    const state = await uploadWeights(device, model.allWeights, [...model.base.tensors, ...model.tensors]);
    return new ColaChecker(device, model, reference, comparer, state);
  }

  /** Compares one result; the measure follows from what is stored. */
  against(group: string, name: string, actual: ArrayLike<number>): void {
    const { reference, comparer } = this;
    if (!reference.has(name)) return;
    const { dtype, shape } = reference.tensors.info(name);
    if (dtype === 'I64' || dtype === 'I32') {
      comparer.compare(group, name, actual, reference.ints(name), 'exact', 0);
      return;
    }
    const gradientOf = name.includes('.grad.');
    const single = shape.length === 1 && shape[0] === 1 && !gradientOf;
    const measure: Measure = single ? 'scalar' : 'relative';
    const limit = gradientOf ? gradientLimit : single ? scalarLimit : forwardLimit;
    comparer.compare(group, name, actual, reference.floats(name), measure, limit);
  }

  /** Compiles and runs, with the gradients of `losses` for the tensors the reference has them for, and compares everything. */
  async evaluate(
    group: string,
    graph: Graph,
    outputs: Readonly<Record<string, Tensor>>,
    losses: Readonly<Record<string, Tensor>>,
    feeds: Readonly<Record<string, Feed>>,
  ): Promise<Record<string, Float32Array>> {
    const all: Record<string, Tensor> = { ...outputs };
    for (const [prefix, loss] of Object.entries(losses)) {
      const names = this.reference.gradientsOf(`${prefix}.grad.`);
      const shapes = new Map(
        [...this.model.base.tensors, ...this.model.tensors].map(({ name, shape }) => [name, shape]),
      );
      const gradients = gradient(
        loss,
        names.map((name) => graph.parameter(name, shapes.get(name) ?? [])),
      );
      for (const [i, name] of names.entries()) all[`${prefix}.grad.${name}`] = gradients[i];
    }
    const program = await this.device.compile(all);
    const values = await readAll(program, feeds, { states: [this.state] });
    for (const [name, value] of Object.entries(values)) {
      const at = name.indexOf('.grad.');
      this.against(at < 0 ? group : `${group} ${gradientGroup(name.slice(at + 6))}`, name, value);
    }
    return values;
  }

  sequences(
    batch = this.batch,
    length = this.length,
  ): { graph: Graph; ids: Tensor; h: Tensor; context: AttentionContext } {
    const graph = this.device.graph();
    const { config } = this.model.base;
    const ids = graph.input('ids', 'int32', [batch, length]);
    const context = causalContext(graph, config, batch, length);
    const { h } = hiddenStates(graph, config, ids, context);
    return { graph, ids, h, context };
  }

  /** A mask as float32, however it is stored. */
  maskOf(name: string): Float32Array {
    const { dtype } = this.reference.tensors.info(name);
    return dtype === 'F32' ? this.reference.floats(name) : Float32Array.from(this.reference.ints(name));
  }
}
