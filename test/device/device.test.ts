import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Attempt, candidates, openDevice } from '../../server/device/device.ts';
import { deviceNames } from '../../server/device/names.ts';
import { missingPrerequisite } from '../../server/device/prerequisites.ts';
import { testDevices } from '../support/devices.ts';

/** What a process finds whose Vulkan and CUDA drivers cannot be loaded. */
async function openWithoutDrivers(name: string): Promise<Record<string, unknown>> {
  const nowhere = join(import.meta.dirname, 'no-such-driver.json');
  const env = { ...process.env, VK_DRIVER_FILES: nowhere, VK_ICD_FILENAMES: nowhere, CUDA_VISIBLE_DEVICES: '-1' };
  const script = join(import.meta.dirname, 'open-auto.ts');
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, name], { env });
  return JSON.parse(stdout);
}

describe('opening a device', () => {
  it('opens the one that is named', async () => {
    for (const name of testDevices) {
      const { device, attempts } = await openDevice(name, { threads: 1 });
      assert.equal(device.name, name);
      assert.deepEqual(attempts, [{ name }]);
      // The proof that it computes has left nothing behind.
      await device.dispose();
      assert.deepEqual({ ...device.ledger }, { buffers: 0, bytes: 0, programs: 0 });
    }
  });

  it('refuses a name that it does not know, and says which there are', async () => {
    await assert.rejects(openDevice('tpu'), (error: Error & { id?: string; remedy?: string }) => {
      assert.equal(error.id, 'device.unknown');
      assert.match(error.message, /"tpu"/);
      for (const name of ['auto', ...deviceNames]) assert.match(error.remedy ?? '', new RegExp(`\\b${name}\\b`));
      return true;
    });
  });

  it('refuses a device of another platform with the reason', async () => {
    const foreign = process.platform === 'win32' ? 'coreml' : 'dml';
    await assert.rejects(openDevice(foreign), (error: Error & { id?: string }) => {
      assert.equal(error.id, 'device.unavailable');
      assert.match(error.message, new RegExp(`"${foreign}".*${process.platform}`));
      return true;
    });
  });

  it('leaves DirectML alone where its library is not beside the runtime, as in our packages', () => {
    const windows = { platform: 'win32', arch: 'x64' } as const;
    const shipped = join(import.meta.dirname, '../../node_modules/onnxruntime-node/bin/napi-v6/win32/x64');
    assert.equal(missingPrerequisite('dml', {}, { ...windows, libraries: shipped }), undefined);
    const packaged = { ...windows, libraries: import.meta.dirname };
    assert.match(missingPrerequisite('dml', {}, packaged) ?? '', /DirectML\.dll is not beside/);
    assert.equal(missingPrerequisite('cpu', {}, packaged), undefined);
  });

  it('tries the fastest first and ends with the cpu, on every platform', () => {
    for (const platform of ['linux', 'win32', 'darwin', 'freebsd'] as const) {
      for (const arch of ['x64', 'arm64']) {
        const names = candidates(platform, arch);
        assert.equal(names.at(-1), 'cpu');
        assert.equal(new Set(names).size, names.length);
        assert(names.every((name) => deviceNames.includes(name)));
      }
    }
    assert.deepEqual(candidates('linux', 'x64'), ['webgpu', 'cuda', 'cpu']);
    assert.deepEqual(candidates('linux', 'arm64'), ['cpu']);
    assert.deepEqual(candidates('win32', 'arm64'), ['webgpu', 'dml', 'cpu']);
    assert.deepEqual(candidates('darwin', 'arm64'), ['webgpu', 'coreml', 'cpu']);
    assert.deepEqual(candidates('darwin', 'x64'), ['coreml', 'cpu']);
  });

  it('with auto, falls back to one that works and gives the reason for each that did not', async () => {
    const { device, attempts } = (await openWithoutDrivers('auto')) as { device: string; attempts: Attempt[] };
    const tried = attempts.map(({ name }) => name);
    assert.deepEqual(tried, candidates().slice(0, attempts.length));
    assert.equal(tried.at(-1), device);
    assert.equal(attempts.at(-1)?.reason, undefined);
    for (const { name, reason } of attempts.slice(0, -1)) {
      assert.match(reason ?? '', new RegExp(`^The device "${name}" cannot be used on this machine: .{10,}`));
    }
    // Where Vulkan is the way to the GPU, there is none without a driver.
    if (process.platform === 'linux') assert.equal(device, 'cpu');
  });

  it('without a driver, the device that needs one is refused and the process lives', async () => {
    const answer = await openWithoutDrivers(process.platform === 'linux' ? 'webgpu' : 'cuda');
    assert.equal(answer.id, 'device.unavailable');
    assert.match(String(answer.remedy), /auto/);
  });

  if (testDevices.includes('webgpu')) {
    it('with auto, takes the GPU where there is one', async () => {
      const { device, attempts } = await openDevice('auto');
      assert.equal(device.name, 'webgpu');
      assert.deepEqual(attempts, [{ name: 'webgpu' }]);
      assert(device.resident && !device.onHost);
      await device.dispose();
    });
  }
});
