/**
 * The policy of a model that completes, which can be replaced while base and world model stay: its weights are inputs of
 * the compiled programs, so a new version is a matter of pointing at other memory.
 */
import type { ColaModel } from '../cola/model.ts';
import type { Device } from '../device/device.ts';
import { State } from '../device/program.ts';
import { original } from '../feedback/model.ts';
import type { PolicyWeights } from '../feedback/versions.ts';
import { weightOf } from '../model/language-model.ts';

export class PolicySlot {
  /** Version in use. */
  version = original;
  readonly state = new State();
  readonly names: ReadonlySet<string>;
  /** The model's own. Never written to. */
  readonly own: PolicyWeights;
  private readonly users = new Set<Promise<unknown>>();
  private replacing: Promise<void> = Promise.resolve();

  private constructor(
    private readonly device: Device,
    private readonly cola: ColaModel,
  ) {
    const names = cola.tensorsOf('policy').map(({ name }) => name);
    this.names = new Set(names);
    this.own = new Map(names.map((name) => [name, cola.weight(name)]));
  }

  static async create(device: Device, cola: ColaModel): Promise<PolicySlot> {
    const slot = new PolicySlot(device, cola);
    await slot.fill(slot.own);
    return slot;
  }

  /** Does work that must see one policy from its beginning to its end. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    await this.replacing;
    const working = work();
    const settled = working.catch(() => {});
    this.users.add(settled);
    settled.finally(() => this.users.delete(settled));
    return working;
  }

  /**
   * Puts another policy in its place, once nobody is at work with the old one.
   *
   * @param weights undefined for the model's own
   * @param forget what the old policy has left behind goes
   */
  replace(version: string, weights: PolicyWeights | undefined, forget: () => void): Promise<void> {
    const replacing = this.replacing.then(async () => {
      await Promise.all(this.users);
      await this.fill(weights ?? this.own);
      this.version = version;
      forget();
    });
    this.replacing = replacing.catch(() => {});
    return replacing;
  }

  private async fill(weights: PolicyWeights): Promise<void> {
    for (const { name, shape } of this.cola.tensorsOf('policy')) {
      const values = weightOf(weights, name);
      this.state.set(name, await this.device.upload(values, 'float32', shape));
      // Searches that are opened from now on take it from here; those that are open keep the memory they have.
      this.cola.weights.set(name, values);
    }
  }
}
