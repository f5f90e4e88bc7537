/** What every part of the check of a CoLA folder needs: the model on the device, the reference values, and how to compare. */
import type { ColaModel } from '../cola/model.ts';
import type { Device } from '../device/device.ts';
import type { Feed, State } from '../device/program.ts';
import { gradient } from '../graph/gradient.ts';
import type { Graph, Tensor } from '../graph/tensor.ts';
import { hiddenStates } from '../model/base.ts';
import { type AttentionContext, causalContext } from '../model/block.ts';
import { uploadWeights } from '../model/language-model.ts';
import { gradientGroup, readAll, readRun } from './base.ts';
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
    for (const [prefix, loss] of Object.entries(losses))
      Object.assign(all, this.gradients(graph, prefix, loss, this.reference.gradientsOf(`${prefix}.grad.`)));
    const values = await readAll(await this.device.compile(all), feeds, { states: [this.state] });
    this.compare(group, values);
    return values;
  }

  /**
   * {@link evaluate} of one loss and one program with the values of several cases: to compile it takes longer than to run it.
   * The loss is the output `<prefix>.loss` of each.
   */
  async evaluateEach(
    graph: Graph,
    outputs: Readonly<Record<string, Tensor>>,
    loss: Tensor,
    cases: readonly { group: string; prefix: string; feeds: Readonly<Record<string, Feed>> }[],
  ): Promise<void> {
    const of = (prefix: string) => this.reference.gradientsOf(`${prefix}.grad.`);
    const names = [...new Set(cases.flatMap(({ prefix }) => of(prefix)))];
    const all = { ...outputs, '*.loss': loss, ...this.gradients(graph, '*', loss, names) };
    const program = await this.device.compile(all);
    for (const { group, prefix, feeds } of cases) {
      const values = Object.entries(await readRun(program, feeds, { states: [this.state] }));
      this.compare(group, Object.fromEntries(values.map(([name, value]) => [name.replace(/^\*/, prefix), value])));
    }
    await program.dispose();
  }

  private gradients(graph: Graph, prefix: string, loss: Tensor, names: readonly string[]): Record<string, Tensor> {
    const shapes = new Map([...this.model.base.tensors, ...this.model.tensors].map(({ name, shape }) => [name, shape]));
    const parameters = names.map((name) => graph.parameter(name, shapes.get(name) ?? []));
    return Object.fromEntries(gradient(loss, parameters).map((g, i) => [`${prefix}.grad.${names[i]}`, g]));
  }

  private compare(group: string, values: Readonly<Record<string, Float32Array>>): void {
    for (const [name, value] of Object.entries(values)) {
      const at = name.indexOf('.grad.');
      this.against(at < 0 ? group : `${group} ${gradientGroup(name.slice(at + 6))}`, name, value);
    }
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
