/**
 * How much memory a model takes to be loaded, to decode and to be trained: weights, gradients, moments and caches by their
 * shapes, activations by the graph that computes them.
 */
import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { inlineMost, sharedFrom, widenFrom } from '../device/device.ts';
import { layoutRoom } from '../device/laid-out.ts';
import type { DeviceName } from '../device/names.ts';
import { gradient } from '../graph/gradient.ts';
import { liveness } from '../graph/liveness.ts';
import * as ops from '../graph/ops.ts';
import { plannedMemory } from '../graph/planned.ts';
import { productRows, widenedBy } from '../graph/stored.ts';
import { Graph, type Node, reachable, type Shape, size, type Tensor } from '../graph/tensor.ts';
import type { Precision } from '../protocol/precision.ts';
import { adapterTensors, isAdapterTensor } from './adapter/adapter.ts';
import { embeddingName, headName, hiddenStates, languageHead, nextTokenLoss } from './base.ts';
import { causalContext } from './block.ts';
import { branchCapacity, branchRooms, capacityFor, stemCapacity } from './cache/key-value-cache.ts';
import { CacheStore } from './cache/store.ts';
import { chunkSizes, chunksOf } from './chunks.ts';
import type { ModelConfig } from './config/config.ts';
import { baseStep } from './language-model.ts';
import { type StepGraph, type StepShape, stepOutputs } from './step-graph.ts';
import { storedMemory } from './stored-memory.ts';
import { bytesIn, formOf } from './weights/precision.ts';
import { StoredCache } from './weights/stored-cache.ts';
import { type ExpectedTensor, expectedTensors } from './weights/weights.ts';

const floatBytes = 4;
/**
 * What a session of the runtime has beside weights and tensors: measured as 3 to 13 MB for programs of steps of the 7 M shape, one
 * thread, ONNX Runtime 1.30 on Linux.
 */
const sessionBytes = 6e6;
/** Lengths beyond this one are read in runs of the same lengths as shorter ones. */
const allLengths = 2 * chunkSizes[chunkSizes.length - 1];

/**
 * Lengths of the programs that read prompts, but for a single token, which a step reads.
 *
 * @param reads tokens of the prompts; any number up to `most`, if not given
 */
function readingLengths(reads: readonly number[] | undefined, most: number, rows: number): ReadonlySet<number> {
  const any = () => Array.from({ length: Math.min(most, allLengths) }, (_, i) => i + 1);
  const lengths = (reads ?? any()).flatMap((tokens) => chunksOf(tokens, rows).map(({ length }) => length));
  return new Set(lengths.filter((length) => length > 1));
}

/** Bytes, part by part. */
export interface Memory {
  readonly weights: number;
  /** Weights once more: laid out for the products of a program, or as they were before they learned. */
  readonly copies: number;
  readonly gradients: number;
  /** First and second moments of AdamW. */
  readonly moments: number;
  /** Keys and values of the sequences that are decoded. */
  readonly cache: number;
  /** Most that the tensors between inputs and outputs take at once. */
  readonly activations: number;
  /** What the runtime takes beyond them on the CPU, because it holds buffers for later and its memory has gaps. */
  readonly slack: number;
  /** What is there beside all that while a program is made that has weights of its own in the model it is made of. */
  readonly making: number;
  readonly total: number;
}

const nothing = { weights: 0, copies: 0, gradients: 0, moments: 0, cache: 0, activations: 0, slack: 0, making: 0 };

/** With their sum. */
export function memory(parts: Partial<Memory>): Memory {
  const all = { ...nothing, ...parts, total: 0 };
  return { ...all, total: Object.values(all).reduce((sum, bytes) => sum + bytes, 0) };
}

const elements = (tensors: readonly { readonly shape: readonly number[] }[]) =>
  tensors.reduce((sum, { shape }) => sum + size(shape), 0);

/**
 * Beyond these, sizes are extrapolated: constants of a graph grow with them, and with the square of the length. From so many rows on all
 * products widen weights that are kept in fewer bits.
 */
const largestBatch = 32;
const largestLength = 2048;

/**
 * The memory for B sequences of T tokens from that of smaller graphs: it grows with B, and with T and its square.
 *
 * @param build the memory of a graph for a batch and a length
 */
export function memoryAt(batch: number, length: number, build: (batch: number, length: number) => Memory): Memory {
  const batches = batch <= largestBatch ? [batch] : [largestBatch, 2 * largestBatch];
  const lengths = length <= largestLength ? [length] : [largestLength / 4, largestLength / 2, largestLength];
  const overLengths = lengths.map((t) => {
    const overBatches = batches.map((b) => build(b, t));
    return combine(overBatches, batches, batch);
  });
  return combine(overLengths, lengths, length);
}

/** Lagrange's polynomial through `known` at `points`, at x, part by part. */
function combine(known: readonly Memory[], points: readonly number[], x: number): Memory {
  if (known.length === 1) return known[0];
  const weights = points.map((p, i) =>
    points.reduce((product, q, j) => (i === j ? product : (product * (x - q)) / (p - q)), 1),
  );
  const part = (name: keyof Memory) =>
    Math.max(0, Math.round(known.reduce((sum, each, i) => sum + weights[i] * each[name], 0)));
  const [cache, activations, slack] = [part('cache'), part('activations'), part('slack')];
  return memory({ ...known[0], cache, activations, slack });
}

/** Number of weights of a base model. */
export function parameterCount(config: ModelConfig): number {
  return elements(expectedTensors(config));
}

/** Number of weights of an adapter beside it; 0 where there is none. */
export function adapterCount(config: ModelConfig): number {
  return elements(adapterTensors(config));
}

const ofBase = (name: string) => (name.startsWith('model.') && !isAdapterTensor(name)) || name === headName;

/** Bytes of weights of which those of the base are kept in a precision. */
function keptBytes(tensors: readonly ExpectedTensor[], precision: Precision): number {
  return tensors.reduce((sum, tensor) => sum + bytesIn(ofBase(tensor.name) ? precision : 'f32', tensor), 0);
}

/** Whether programs map a file of the base's weights. */
function isInFile(config: ModelConfig, precision: Precision): boolean {
  if (precision !== 'int8' && precision !== 'int4') return false;
  return StoredCache.ofAccount()?.keeps(keptBytes(expectedTensors(config), precision)) === true;
}

/** Bytes of each weight that a node of a program on the CPU widens to float32. */
function widening(outputs: readonly Tensor[], precision: Precision): (node: Node) => readonly number[] {
  if (precision === 'f32') return () => [];
  const form = (name: string, shape: Shape) => (ofBase(name) ? formOf(precision, { name, shape }) : undefined);
  const rows = productRows(reachable(outputs), { has: ofBase });
  const widens = (name: string) => (rows.get(name) ?? 0) >= widenFrom[precision];
  return (node) => widenedBy(node, form, widens).map(({ shape }) => floatBytes * size(shape));
}

/** A base model in host memory, in the form it is kept in. */
export function loadMemory(config: ModelConfig, precision: Precision = 'f32'): Memory {
  return memory({ weights: keptBytes([...expectedTensors(config), ...adapterTensors(config)], precision) });
}

export interface DecodeOptions {
  /** What is computed in a step; the base's logits, if not given. */
  readonly step?: StepGraph;
  /** Weights beside the base's. */
  readonly added?: readonly ExpectedTensor[];
  /** Those among all that learn: programs read them where they are, and have no copies of them. */
  readonly learns?: readonly ExpectedTensor[];
  /** Where sequences begin alike: how many share a beginning, and most tokens behind it. */
  readonly branched?: { readonly sharers: number; readonly behind: number };
  /** The form the weights of the base are kept in; float32, if not given. */
  readonly precision?: Precision | undefined;
  /** Bytes that copies of weights may take; {@link layoutRoom}, if not given. */
  readonly room?: number;
  /** Tokens of the prompts that programs of its own read; any number up to the beginning, if not given. */
  readonly reads?: readonly number[];
}

/**
 * Decoding B sequences of up to `length` tokens. The weights are in memory as loaded, and once in each program of single steps: there
 * is one for each room that the rows of a branched cache come to have. Of small weights each program that reads prompts has a copy
 * too; large ones these share with what is loaded. What a base in fewer bits takes is {@link storedMemory}. An embedding that is the
 * head too is twice in a copy. All copies together have a bounded room, which a single one may exceed.
 */
export function decodeMemory(config: ModelConfig, batch: number, length: number, options: DecodeOptions = {}): Memory {
  const step = options.step ?? baseStep(config);
  const { sharers = 1, behind = 0 } = options.branched ?? {};
  const begun = sharers > 1 ? Math.max(1, length - behind) : length;
  const capacity = sharers > 1 ? stemCapacity(begun) : capacityFor(begun);
  const slots = branchCapacity(behind + 1);
  const { precision = 'f32', added = [], room = layoutRoom() } = options;
  const base = expectedTensors(config);
  const inFloats = base.filter((tensor) => formOf(precision, tensor) === undefined);
  const plain = floatBytes * elements([...added, ...adapterTensors(config), ...inFloats]);
  const learns = new Set((options.learns ?? []).map(({ name }) => name));
  const live =
    floatBytes *
    elements([...expectedTensors(config), ...adapterTensors(config), ...added].filter(({ name }) => learns.has(name)));
  const frozen = Math.max(0, plain - live);
  const table = config.tieWordEmbeddings && precision === 'f32' && !learns.has(embeddingName);
  const twice = table ? floatBytes * config.vocabSize * config.hiddenSize : 0;
  const singles = sharers > 1 ? branchRooms(behind + 1) : 1;
  const starts = Math.ceil(batch / sharers);
  const lengths = readingLengths(options.reads, begun, starts);
  const copy = frozen + twice;
  const programs = [
    ...Array.from({ length: singles }, () => ({ batch, length: 1, beside: copy })),
    ...Array.from(lengths, (length) => ({
      batch: starts,
      length,
      choices: sharers,
      beside: frozen > sharedFrom ? 0 : copy,
    })),
  ];
  const mapped = isInFile(config, precision);
  const stored = storedMemory(config, precision, programs, { mapped, room });
  const kept = starts * capacity + (sharers > 1 ? batch * slots : 0);
  const cache = floatBytes * 2 * step.cachedBlocks * config.kvHeads * kept * config.headDim;
  const single = (rows: number) =>
    sharers > 1
      ? stepActivations(config, step, precision, {
          batch: rows * sharers,
          length: 1,
          capacity: slots,
          stem: { sharers, capacity },
        })
      : stepActivations(config, step, precision, { batch: rows, length: 1, capacity });
  // A runtime session keeps the memory of its largest run.
  const { activations, slack } = memoryAt(starts, Math.max(1, ...lengths), (rows, tokens) => {
    // The first choices of all that share a beginning are made where it is read.
    const reading = { batch: rows, length: tokens, capacity, choices: sharers };
    const parts = [stepActivations(config, step, precision, reading), single(rows)];
    const sum = (name: 'activations' | 'slack') => parts.reduce((bytes, part) => bytes + part[name], 0);
    return memory({ activations: sum('activations'), slack: sum('slack') });
  });
  // Where a program maps a file, weights in float32 stand in the model: as it was given, and as the runtime has parsed it.
  const making = mapped && copy <= inlineMost ? 2 * copy : 0;
  return memory({
    weights: plain + stored.shared,
    copies: stored.own,
    making,
    cache,
    activations,
    slack: slack + sessionBytes * programs.length,
  });
}

/** What is alive at once in a program, and what the runtime takes beyond it. @param outside outputs in memory of the caller's */
function programMemory(outputs: readonly Tensor[], precision: Precision, outside: readonly Tensor[] = []) {
  const { peak } = liveness(outputs, { outside });
  const { bytes } = plannedMemory(outputs, outside, widening(outputs, precision));
  return { activations: peak, slack: Math.max(0, bytes - peak) };
}

function stepActivations(config: ModelConfig, step: StepGraph, precision: Precision, shape: StepShape) {
  const store = new CacheStore(config, step.cachedBlocks, true);
  return programMemory(Object.values(stepOutputs(new Graph(), config, step, store, shape).all), precision);
}

/**
 * Reading B sequences of `length` tokens to have their hidden states: a program that reads the weights as they are loaded.
 *
 * @param beside weights that are in memory beside the base's
 */
export function readingMemory(
  config: ModelConfig,
  batch: number,
  length: number,
  beside: readonly ExpectedTensor[] = [],
  precision: Precision = 'f32',
): Memory {
  return memoryAt(batch, length, (b, t) => {
    const graph = new Graph();
    const ids = graph.input('ids', 'int32', [b, t]);
    const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, b, t));
    return outputsMemory(config, [h], precision, beside);
  });
}

/**
 * A program of many rows, which reads the weights as they are loaded.
 *
 * @param beside weights that are in memory beside those it reads
 */
export function outputsMemory(
  config: ModelConfig,
  outputs: readonly Tensor[],
  precision: Precision,
  beside: readonly ExpectedTensor[] = [],
): Memory {
  const { activations, slack } = programMemory(outputs, precision);
  // Of an embedding that is no head some rows are read, where it is in a file.
  const rowsOnly = !config.tieWordEmbeddings && isInFile(config, precision);
  const read = [...outputs[0].graph.parameters]
    .map(([name, { shape }]) => ({ name, shape }))
    .filter(({ name }) => !(rowsOnly && name === embeddingName));
  return memory({ weights: keptBytes([...read, ...beside], precision), activations, slack: slack + sessionBytes });
}

export interface TrainOptions {
  /** Micro-batches of a step; with more than one there is a second set of gradients. */
  readonly accumulate?: number;
  /** What else comes out of a step, such as metrics. */
  readonly kept?: readonly Tensor[];
  /** What a program beside the step computes of held-out rows. */
  readonly measured?: readonly Tensor[];
  /** The form the weights of the base are kept in; float32, if not given. */
  readonly precision?: Precision;
}

/**
 * One training step of a loss: all weights that the loss reads, and gradients and moments of those that are trained.
 *
 * @param trainable names of parameters of the loss's graph
 */
export function trainMemory(
  loss: Tensor,
  trainable: readonly string[],
  { accumulate = 1, kept = [], measured = [], precision = 'f32' }: TrainOptions = {},
): Memory {
  const { parameters } = loss.graph;
  const trained = trainable.map((name) => {
    const parameter = parameters.get(name);
    if (parameter === undefined) throw new Error(`the loss does not contain ${name}`);
    return parameter;
  });
  const gradients = gradient(loss, trained);
  const each = floatBytes * elements(trained);
  // As a step adds them up: this is what decides in which order gradients are computed.
  let squares = loss.graph.scalar(0);
  for (const each of gradients) squares = ops.add(squares, ops.sumOfSquares(each));
  const step = programMemory([loss, ...kept, ...gradients, squares], precision, gradients);
  const beside = programMemory(measured, precision);
  return memory({
    weights: keptBytes(
      [...parameters].map(([name, { shape }]) => ({ name, shape })),
      precision,
    ),
    gradients: accumulate > 1 ? 2 * each : each,
    moments: 2 * each,
    activations: step.activations + beside.activations,
    // What a run writes into given memory comes back a second time, as a copy.
    slack: step.slack + beside.slack + each,
  });
}

/** Training all weights of a base on B sequences of `length` tokens. */
export function pretrainMemory(config: ModelConfig, batch: number, length: number, accumulate = 1): Memory {
  const names = expectedTensors(config).map(({ name }) => name);
  return memoryAt(batch, length, (b, t) => {
    const graph = new Graph();
    const ids = graph.input('ids', 'int32', [b, t]);
    const { h } = hiddenStates(graph, config, ids, causalContext(graph, config, b, t));
    return trainMemory(nextTokenLoss(languageHead(graph, config, h), ids), names, { accumulate });
  });
}

export interface Fit {
  /** Undefined where the free memory is not known. */
  readonly fits: boolean | undefined;
  /** Bytes that are free now. */
  readonly free: number | undefined;
  /** Where the number comes from, or why there is none. */
  readonly source: string;
}

/**
 * Whether so many bytes are free on a device now.
 *
 * @param known free memory of an accelerator, where something has told it; the runtime does not
 */
export function fits(bytes: number, device: DeviceName, known?: number): Fit {
  if (known !== undefined) return { fits: bytes <= known, free: known, source: `memory of ${device}` };
  if (device !== 'cpu') {
    return { fits: undefined, free: undefined, source: `the runtime does not tell how much memory ${device} has` };
  }
  const { free, source } = freeMemory();
  return { fits: bytes <= free, free, source };
}

/** Bytes this process can still take: what the machine has free, or a container allows. */
export function freeMemory(): { free: number; source: string } {
  const machine = { free: freemem(), source: 'free memory of this machine' };
  const limit = process.constrainedMemory();
  // Without a limit the number is 0, or larger than any machine.
  if (!(limit > 0) || limit >= totalmem()) return machine;
  const used = containerUse() ?? process.memoryUsage.rss();
  const free = Math.max(0, limit - used);
  return free < machine.free ? { free, source: 'what the limit of this container leaves' } : machine;
}

/** Memory in use of a Linux control group (version 2, then 1), without the file cache, which makes room when it has to. */
function containerUse(): number | undefined {
  const folders = [
    { folder: '/sys/fs/cgroup', current: 'memory.current', inactive: 'inactive_file' },
    { folder: '/sys/fs/cgroup/memory', current: 'memory.usage_in_bytes', inactive: 'total_inactive_file' },
  ];
  for (const { folder, current, inactive } of folders) {
    try {
      const used = Number(readFileSync(`${folder}/${current}`, 'utf8'));
      const stat = readFileSync(`${folder}/memory.stat`, 'utf8');
      const cached = Number(new RegExp(`^${inactive} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
      if (Number.isFinite(used)) return used - cached;
    } catch {
      // Another version, or no Linux.
    }
  }
  return undefined;
}
