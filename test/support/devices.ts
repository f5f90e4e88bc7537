/** The devices the suites run on: the CPU always, WebGPU where `scripts/test.mjs` found a Vulkan driver. */
import assert from 'node:assert/strict';
import { Device } from '../../server/device/device.ts';
import type { DeviceName } from '../../server/device/names.ts';

const withWebgpu = process.env.COLA_TEST_WEBGPU === '1';

export const testDevices: readonly DeviceName[] = withWebgpu ? ['cpu', 'webgpu'] : ['cpu'];

if (!withWebgpu) {
  console.log(
    'WebGPU is not tested: COLA_TEST_WEBGPU is not 1. `npm test` sets it where it finds a software Vulkan driver.',
  );
}

/**
 * `it` for what no device changes: what is counted, put in order, cut off, stopped or refused. It runs on the CPU alone,
 * because on a WebGPU in software nearly all of the time goes into compiling shaders. The numbers of graphs, gradients,
 * steps and samplers are tested on each device.
 */
export function itOnce(device: DeviceName, title: string, test: Mocha.AsyncFunc): void {
  if (device === 'cpu') it(title, test);
}

/** `it` for what other files show of every device in other words: on others than the CPU it is part of the slow form alone. */
export function itMainly(device: DeviceName, title: string, test: Mocha.AsyncFunc): void {
  if (device === 'cpu' || process.env.COLA_SLOW === '1') it(title, test);
}

let kept: Promise<unknown> | undefined;

/**
 * Keeps one small program on WebGPU as long as the process lives: the runtime forgets the shaders that it has compiled when
 * the last program is gone, and in software compiling them is most of the time that the tests of the next device take.
 */
function keepShaders(): Promise<unknown> {
  kept ??= Device.open('webgpu').then((device) =>
    device.program((graph) => ({ y: graph.input('x', 'float32', [2, 2]) })),
  );
  return kept;
}

/**
 * One `describe` per device, with the device open in it. After its tests nothing may be alive on the device but the
 * device's own transfer programs, and after those are disposed nothing at all.
 */
export function onEachDevice(
  body: (device: () => Device, name: DeviceName) => void,
  devices: readonly DeviceName[] = testDevices,
): void {
  for (const name of devices) {
    describe(`on ${name}`, () => {
      let device: Device | undefined;
      before(async () => {
        if (name === 'webgpu') await keepShaders();
        device = await Device.open(name);
      });
      body(() => {
        assert(device !== undefined);
        return device;
      }, name);
      after(async () => {
        if (device === undefined) return;
        await device.dispose();
        assert.deepEqual({ ...device.ledger }, { buffers: 0, bytes: 0, programs: 0 });
      });
    });
  }
}

/** {@link onEachDevice} for a suite that other devices have elsewhere, or of which nothing depends on the device. */
export const onCpu = (body: (device: () => Device) => void): void => onEachDevice(body, ['cpu']);
