/** Execution providers of ONNX Runtime behind one interface. This folder is the only importer of onnxruntime-node. */
import { availableParallelism } from 'node:os';
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { outputName, writeOnnx } from '../graph/onnx.ts';
import * as ops from '../graph/ops.ts';
import {
  blockParts,
  isMapped,
  isRange,
  laidOutBytes,
  partsOf,
  productRows,
  type StoredPart,
  type StoredWeight,
  StoredWriter,
  storedBytes,
} from '../graph/stored.ts';
import { type DType, Graph, reachable, type Shape, type Tensor, type TensorData } from '../graph/tensor.ts';
import { DeviceBuffer, hostTensor, Ledger, storedTensor } from './buffer.ts';
import { discard } from './discard.ts';
import { deviceErrors } from './errors.ts';
import { HeldWeights } from './held-weights.ts';
import { apart, type Inside } from './inside.ts';
import { LaidOutPrograms, layoutRoom } from './laid-out.ts';
import { type DeviceName, deviceNames } from './names.ts';
import { missingPrerequisite } from './prerequisites.ts';
import { Program, runError } from './program.ts';
import { ProgramCache } from './program-cache.ts';
import { ort } from './runtime.ts';

export interface CompileOptions {
  /** Values of parameters that become part of the program. */
  readonly frozen?: ReadonlyMap<string, Float32Array>;
  /**
   * Where the frozen weights are large, leave them where they are, in one copy for all programs that do so, instead of laying
   * them out for this one. For programs that read many tokens at once, which gain nothing from that.
   */
  readonly shared?: boolean;
  /**
   * Names of outputs that replace an input of the same name; see {@link Program.run}. In host memory the input is
   * overwritten while the program runs: nothing else in the graph may read it.
   */
  readonly carried?: readonly string[];
  /** Names of outputs that stay on the device, where the device can keep them. */
  readonly resident?: readonly string[];
  /** Computed tensors of the graph that are inputs of the program, under the names of {@link inputName}. */
  readonly given?: ReadonlySet<Tensor>;
  /** Memory goes back after every run, for other programs to use. */
  readonly lean?: boolean;
  /** Refuse to compile if any node would run on the CPU beside an accelerator. */
  readonly strict?: boolean;
}

export interface DeviceOptions {
  /** Threads of the CPU provider; all cores by default, and never more. */
  readonly threads?: number;
  /** Bytes of frozen weights above which programs may share them; {@link sharedFrom}, if not given. */
  readonly shareFrom?: number;
  /** Bytes that programs of steps take at most for weights that they lay out; {@link layoutRoom}, if not given. */
  readonly layoutRoom?: number;
}

/** Bytes of weights that programs share rather than hold each: below, a copy costs little, and a program of its own layout is faster. */
export const sharedFrom = 256e6;
/**
 * Where a program maps a file, the runtime takes no other memory for weights: they stand in the model itself up to here, and are
 * read where they are beyond.
 */
export const inlineMost = 1e9;

/** Weights that every program of a device may read, kept in fewer bits. */
interface StoredWeights {
  readonly weights: ReadonlyMap<string, StoredWeight>;
  readonly exact: boolean;
}

/**
 * Rows of a product from which a program reads the one copy of stored weights that is in memory, and widens each where it is
 * used, rather than lay out a copy of its own: for so many rows that costs little, and it is exact. There are no kernels for half
 * precision on the CPU: laid out it would be float32 again.
 */
export const widenFrom = { f16: 0, int8: 32, int4: 32 } as const;

export class Device {
  private constructor(
    readonly name: DeviceName,
    private readonly options: DeviceOptions,
    readonly ledger = new Ledger(),
    private readonly transfers = new ProgramCache<string>(),
    private readonly held = new HeldWeights((values, shape) => this.upload(values, 'float32', shape)),
    private readonly stored: StoredWeights = { weights: new Map(), exact: false },
    /** Programs of steps, whoever they belong to. */
    readonly laidOut = new LaidOutPrograms(options.layoutRoom ?? layoutRoom()),
  ) {}

  /**
   * The same device for programs over a base whose weights are kept in fewer bits: parameters of these names are read in that
   * form, and are never inputs.
   *
   * @param exact whether products of few rows compute in float32 too; else they may round what they multiply to 8 bits, which is faster
   */
  over(weights: ReadonlyMap<string, StoredWeight>, exact = false): Device {
    const { name, options, ledger, transfers, held, laidOut } = this;
    return weights.size === 0 || weights === this.stored.weights
      ? this
      : new Device(name, options, ledger, transfers, held, { weights, exact }, laidOut);
  }

  /** The same device for programs that are compiled with other settings. */
  with(options: DeviceOptions): Device {
    const { name, ledger, transfers, held, stored, laidOut } = this;
    return new Device(name, options, ledger, transfers, held, stored, laidOut);
  }

  /**
   * Opens a device and proves with one small product that it computes.
   *
   * @throws device.unavailable
   */
  static async open(name: DeviceName, options: DeviceOptions = {}): Promise<Device> {
    // The runtime would leave out a provider it does not have, and silently compute on the CPU.
    if (!ort.listSupportedBackends().some((backend) => backend.name === name)) {
      throw deviceErrors.unavailable(name, `ONNX Runtime does not have it on ${process.platform}-${process.arch}.`);
    }
    const missing = missingPrerequisite(name);
    if (missing !== undefined) throw deviceErrors.unavailable(name, missing);
    const device = new Device(name, options);
    try {
      const program = await device.program((graph) => {
        const x = graph.input('x', 'float32', [2, 2]);
        return { y: ops.matmul(x, x) };
      });
      const { y } = await program.run({ x: Float32Array.of(1, 2, 3, 4) });
      const values = Array.from(await y.readFloats());
      y.release();
      await program.dispose();
      if (values.join() !== '7,10,15,22') throw new Error(`wrong product: ${values.join(' ')}`);
    } catch (cause) {
      throw deviceErrors.unavailable(name, cause);
    }
    return device;
  }

  /** Whether tensors can stay on the device between runs, outside host memory. */
  get resident(): boolean {
    return this.name === 'webgpu';
  }

  /** Whether the weights of a step are host memory that the CPU may write between runs. */
  get onHost(): boolean {
    return !this.resident;
  }

  /** An empty graph, for what is to be fast here: on an accelerator every further product costs more than strips leave out. */
  graph({ recompute = false }: { readonly recompute?: boolean } = {}): Graph {
    return new Graph({ recompute, ...(this.onHost ? {} : { strip: Number.POSITIVE_INFINITY }) });
  }

  /** Compiles what `build` makes of an empty graph for this device. @throws the catalogued device errors */
  program(build: (graph: Graph) => Readonly<Record<string, Tensor>>, options?: CompileOptions): Promise<Program> {
    return this.compile(build(this.graph()), options);
  }

  /**
   * Compiles the graph behind `outputs`.
   *
   * @throws the catalogued device errors
   */
  async compile(outputs: Readonly<Record<string, Tensor>>, options: CompileOptions = {}): Promise<Program> {
    const carried = new Set(options.carried ?? []);
    const resident = new Set(this.resident ? [...carried, ...(options.resident ?? [])] : []);
    const frozen = options.frozen ?? new Map<string, Float32Array>();
    const shared = this.shares(options);
    const copied = this.copied(outputs, options);
    const inside = [...(shared ? [] : frozen), ...this.inside(copied)];
    const { values, files: externalData, mapped } = apart(inside);
    // What is wrong with its place is said as it is.
    await mapped?.present();
    try {
      const sessionOptions = this.sessionOptions(Object.keys(outputs), resident, options, mapped?.folder);
      const stored = new StoredWriter(this.stored.weights, {
        level: this.stored.exact ? 0 : 4,
        onHost: this.name === 'cpu',
        widens: (name) => !copied(name),
      });
      const model = writeOnnx(outputs, values, options.given, stored);
      // The runtime copies what it is given: the memory of the weights is free to go, or to change, once there is a session.
      const session = await ort.InferenceSession.create(model.bytes, { ...sessionOptions, externalData });
      discard([model.bytes.buffer]);
      const held = shared ? await this.held.take(model.inputs, frozen) : undefined;
      const download = this.resident ? this.download : undefined;
      return new Program({
        session,
        inputs: model.inputs,
        outputs: new Map(Object.entries(outputs)),
        resident,
        carried,
        onHost: this.onHost,
        ledger: this.ledger,
        download,
        deviceName: this.name,
        held,
        stored: new Map(model.stored.map((part) => [part.name, storedTensor(part)])),
      });
    } catch (cause) {
      throw runError(this.name, cause);
    }
  }

  private shares({ shared, frozen = new Map() }: CompileOptions): boolean {
    const bytes = bytesOf(frozen);
    if (bytes > inlineMost && [...this.stored.weights.values()].some(isMapped)) return true;
    return shared === true && bytes > (this.options.shareFrom ?? sharedFrom);
  }

  /**
   * Bytes of weights that a program with these options has for itself.
   *
   * @param rowsOf rows of its product with a weight; undefined where there is none
   */
  layoutBytes(options: CompileOptions, rowsOf: (name: string) => number | undefined): number {
    let bytes = this.shares(options) ? 0 : bytesOf(options.frozen ?? new Map());
    for (const [name, weight] of this.stored.weights) {
      const rows = rowsOf(name) ?? Number.POSITIVE_INFINITY;
      if (this.name !== 'cpu') bytes += storedBytes(weight);
      // Weights in blocks are there as they were given, unless that is a file, and as the kernels want them.
      else if (rows < widenFrom[weight.form])
        bytes += laidOutBytes(weight) + (isMapped(weight) ? 0 : storedBytes(weight));
    }
    return bytes;
  }

  /** Which stored weights a program has a copy of, laid out for its products. */
  private copied(outputs: Readonly<Record<string, Tensor>>, { given }: CompileOptions): (name: string) => boolean {
    const { weights } = this.stored;
    // An accelerator has no use for host memory that it would have to fetch with every run.
    if (weights.size === 0 || this.name !== 'cpu') return () => true;
    const rows = productRows(reachable(Object.values(outputs), given), weights);
    return (name) => {
      const { form } = weights.get(name) ?? {};
      return form === undefined || (rows.get(name) ?? Number.POSITIVE_INFINITY) < widenFrom[form];
    };
  }

  /** Parts of stored weights that stand in a program: those it has a copy of, and those that lie in a file. */
  private inside(copied: (name: string) => boolean): [string, Inside][] {
    const parts: [string, Inside][] = [];
    for (const [name, weight] of this.stored.weights) {
      const put = (of: readonly StoredPart[], copied: boolean) => {
        for (const { name, data } of of) {
          if (isRange(data)) parts.push([name, { range: data, copied }]);
          else if (copied) parts.push([name, data]);
        }
      };
      put(partsOf(name, weight), copied(name));
      put(blockParts(name, weight) ?? [], false);
    }
    return parts;
  }

  private sessionOptions(
    outputs: readonly string[],
    resident: ReadonlySet<string>,
    { strict = false, lean = false }: CompileOptions,
    folder: string | undefined,
  ): InferenceSession.SessionOptions {
    // More threads than cores wait for each other, and every program has its own: a thousand asked for would be many thousands.
    const threads = Math.min(this.options.threads ?? Number.POSITIVE_INFINITY, availableParallelism());
    const options: InferenceSession.SessionOptions = {
      executionProviders: this.name === 'cpu' ? ['cpu'] : [this.name, 'cpu'],
      graphOptimizationLevel: 'all',
      // A memory pattern is planned after the first run and takes its memory beside that run's: twice the peak, and no faster.
      enableMemPattern: false,
      enableCpuMemArena: !lean,
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      logSeverityLevel: 4,
      extra: {
        session: {
          // Every program has threads of its own, and they go on spinning after a run: with three programs in turn on two
          // cores, as in completion, a run took four times as long.
          force_spinning_stop: '1',
          // Inside a run they spin for what lies between two operations of a small model, and no longer: where another program
          // computes too, one that spins has the core of the one it waits for. docs/decisions/threads-stop.md
          intra_op: { allow_spinning: '1', spin_duration_us: '6' },
          // A masked score becomes the least number there is, and with such denormal numbers a CPU computes many times slower:
          // a softmax over half masked rows took ten times as long. The first program of a process sets it for this thread.
          set_denormal_as_zero: '1',
          ...(folder === undefined ? {} : { model_external_initializers_file_folder_path: folder }),
          ...(strict && this.name !== 'cpu' ? { disable_cpu_ep_fallback: '1' } : {}),
        },
        // It would widen a weight once for all that read it, and keep it so until the last of them.
        ...(this.stored.weights.size === 0
          ? {}
          : { optimization: { disable_specified_optimizers: 'CommonSubexpressionElimination' } }),
      },
    };
    if (!this.resident) return options;
    // Locations are applied by position, so every output is listed, in the order of the fetches.
    const locations = Object.fromEntries(
      outputs.map((name) => [outputName(name), resident.has(name) ? 'gpu-buffer' : 'cpu'] as const),
    );
    return { ...options, preferredOutputLocation: locations };
  }

  /** Host memory as a buffer of this device: without a copy where the device computes in host memory. */
  async upload(data: TensorData, dtype: DType, shape: Shape): Promise<DeviceBuffer> {
    if (this.onHost) return new DeviceBuffer(dtype, shape, hostTensor(data, dtype, shape), this.ledger, undefined);
    const program = await this.transfer('up', dtype, shape);
    const { y } = await program.run({ x: data });
    return y;
  }

  /**
   * Host memory that is never written, as a buffer of this device that all share who ask for the same memory. Each releases it.
   */
  hold(values: Float32Array, shape: Shape): Promise<DeviceBuffer> {
    return this.held.hold(values, shape);
  }

  /** getData() on a buffer of the GPU aborts the process; an identity whose output is on the CPU does not. */
  private readonly download = async (tensor: OrtTensor, dtype: DType, shape: Shape): Promise<TensorData> => {
    const program = await this.transfer('down', dtype, shape);
    const x = new DeviceBuffer(dtype, shape, tensor, new Ledger(), undefined);
    const { y } = await program.run({ x });
    const data = y.host;
    y.release();
    return data;
  };

  private transfer(direction: 'up' | 'down', dtype: DType, shape: Shape): Promise<Program> {
    const key = `${direction} ${dtype} ${shape.join()}`;
    return this.transfers.get(key, () =>
      this.program(
        (graph) => ({ y: ops.stopGradient(graph.input('x', dtype, shape)) }),
        direction === 'up' ? { resident: ['y'] } : {},
      ),
    );
  }

  dispose(): Promise<void> {
    return this.transfers.dispose();
  }
}

function bytesOf(frozen: ReadonlyMap<string, Float32Array>): number {
  let bytes = 0;
  for (const value of frozen.values()) bytes += value.byteLength;
  return bytes;
}

export interface Attempt {
  readonly name: DeviceName;
  /** Why it was not taken; undefined for the one that was. */
  readonly reason?: string;
}

/** The providers this platform can have, fastest first. */
export function candidates(platform: NodeJS.Platform = process.platform, arch: string = process.arch): DeviceName[] {
  if (platform === 'darwin') return arch === 'arm64' ? ['webgpu', 'coreml', 'cpu'] : ['coreml', 'cpu'];
  if (platform === 'win32') return ['webgpu', 'dml', 'cpu'];
  return platform === 'linux' && arch === 'x64' ? ['webgpu', 'cuda', 'cpu'] : ['cpu'];
}

/**
 * Opens the named device, or with `auto` the first of {@link candidates} that works.
 *
 * @param open opens one of a kind; anew, if not given
 * @returns the device, and what was tried before it with the reason
 * @throws device.unknown, device.unavailable
 */
export async function openDevice(
  name: string,
  options: DeviceOptions = {},
  open: (name: DeviceName) => Promise<Device> = (kind) => Device.open(kind, options),
): Promise<{ device: Device; attempts: Attempt[] }> {
  if (name !== 'auto') {
    const known = deviceNames.find((d) => d === name);
    if (known === undefined) throw deviceErrors.unknown(name);
    return { device: await open(known), attempts: [{ name: known }] };
  }
  const attempts: Attempt[] = [];
  for (const candidate of candidates()) {
    try {
      const device = await open(candidate);
      attempts.push({ name: candidate });
      return { device, attempts };
    } catch (error) {
      if (candidate === 'cpu') throw error;
      attempts.push({ name: candidate, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  throw deviceErrors.unavailable('auto', 'no device works');
}
