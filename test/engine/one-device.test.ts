import assert from 'node:assert/strict';
import { join } from 'node:path';
import { ColaModel } from '../../server/cola/model.ts';
import { LoadedModel } from '../../server/completion/loaded-model.ts';
import { Devices } from '../../server/device/devices.ts';
import { WeightShelf } from '../../server/model/weights/shelf.ts';
import { readSpec } from '../../server/spec/document.ts';
import { DeviceWeights } from '../../server/train/optimizer/weights.ts';
import { startRun } from '../../server/train/run/job.ts';
import { testDevices } from '../support/devices.ts';
import { makeModel, makeSpec, removeFolder, temporaryFolder } from './tiny-model.ts';

describe('one device for all that compute', () => {
  let root = '';
  let folder = '';
  before(async () => {
    root = await temporaryFolder();
    folder = await makeModel(join(root, 'model'));
  });
  after(() => removeFolder(root));

  it('is that of completion and of a run beside it, and closed behind the last of them', async () => {
    const [devices, shelf] = [new Devices(), new WeightShelf()];
    const loaded = await LoadedModel.load({ folder, device: 'cpu', threads: 1, shelf, devices });
    const { ledger } = loaded.device;
    const before = { ...ledger };
    const specFile = await makeSpec(root, './model', 3);
    let most = 0;
    await startRun({
      root,
      runId: 'beside',
      spec: readSpec(specFile),
      specFile,
      signal: new AbortController().signal,
      measure: async () => {},
      shelf,
      devices,
      onEvent() {
        most = Math.max(most, ledger.programs);
      },
    });
    assert(most > before.programs, 'programs of the run are on the device of completion');
    assert.deepEqual({ ...ledger }, before);
    assert.deepEqual(devices.names, ['cpu']);
    await loaded.release();
    assert.deepEqual(devices.names, []);
    assert.deepEqual({ ...ledger }, { buffers: 0, bytes: 0, programs: 0 });
  });

  for (const name of testDevices) {
    it(`has what nobody trains once on ${name}, and what one of them trains for each`, async () => {
      const [devices, shelf] = [new Devices(), new WeightShelf()];
      const taken = [await devices.take(name), await devices.take(name, { threads: 1 })];
      const [one, other] = [await ColaModel.load(folder, { shelf }), await ColaModel.load(folder, { shelf })];
      const { ledger } = taken[0].device;
      const [first, second] = taken.map(({ device }) => new DeviceWeights(device));
      const add = (weights: DeviceWeights, { base }: ColaModel) =>
        weights.add(base.weights, base.plainTensors, base.shared);
      await add(first, one);
      const { bytes } = ledger;
      assert(bytes > 0);
      await add(second, other);
      assert.equal(ledger.bytes, bytes);
      const norm = 'model.norm.weight';
      assert(one.base.shared.own([norm]));
      await add(first, one);
      assert.equal(ledger.bytes, bytes + one.base.weights.get(norm)!.byteLength);
      await first.write(
        norm,
        one.base.weights.get(norm)!.map((x) => x + 1),
      );
      assert.deepEqual(await second.read(norm), other.base.weights.get(norm));
      first.dispose();
      assert.equal(ledger.bytes, bytes);
      second.dispose();
      for (const { release } of taken) await release();
      assert.deepEqual({ ...ledger }, { buffers: 0, bytes: 0, programs: 0 });
      assert.deepEqual(devices.names, []);
    });
  }
});
