/**
 * The devices of a process: one of a kind, for all that compute there. It is open from the first one who takes it until the last one
 * lets it go. Settings, such as threads, are those of the programs that each of them compiles; the memory is shared, so that frozen
 * weights are on an accelerator once.
 */
import { type Attempt, Device, type DeviceOptions, openDevice } from './device.ts';
import type { DeviceName } from './names.ts';

/** A device that somebody uses. */
export interface TakenDevice {
  readonly device: Device;
  /** What was tried before it, with the reason. */
  readonly attempts: readonly Attempt[];
  /** Lets it go; what was compiled there has ended before. Calling it twice is harmless. */
  release(): Promise<void>;
}

interface Open {
  readonly device: Promise<Device>;
  users: number;
}

export class Devices {
  private readonly open = new Map<DeviceName, Open>();

  /** Kinds that are open. */
  get names(): DeviceName[] {
    return [...this.open.keys()];
  }

  /**
   * Takes the named device, or with `auto` the fastest one that works.
   *
   * @throws device.unknown, device.unavailable
   */
  async take(name: string, options: DeviceOptions = {}): Promise<TakenDevice> {
    const { device, attempts } = await openDevice(name, options, (kind) => this.one(kind, options));
    let taken = true;
    const release = async () => {
      if (!taken) return;
      taken = false;
      await this.release(device.name);
    };
    return { device: device.with(options), attempts, release };
  }

  private async one(name: DeviceName, options: DeviceOptions): Promise<Device> {
    const entry = this.open.get(name) ?? { device: Device.open(name, options), users: 0 };
    this.open.set(name, entry);
    entry.users++;
    try {
      return await entry.device;
    } catch (error) {
      // Whoever comes next tries again.
      if (this.open.get(name) === entry) this.open.delete(name);
      throw error;
    }
  }

  private async release(name: DeviceName): Promise<void> {
    const entry = this.open.get(name);
    if (entry === undefined || --entry.users > 0) return;
    this.open.delete(name);
    await (await entry.device).dispose();
  }
}
