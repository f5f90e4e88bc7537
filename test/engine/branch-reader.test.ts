import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Ahead, BranchReader } from '../../server/completion/branch-reader.ts';
import { LoadedModel } from '../../server/completion/loaded-model.ts';
import { makeModel, removeFolder, temporaryFolder } from './tiny-model.ts';

for (const width of [16, 8])
  describe(`texts that branch from one, with modules ${width} wide`, () => {
    let folder = '';
    let model: LoadedModel;
    let reader: BranchReader;
    before(async () => {
      folder = await temporaryFolder();
      model = await LoadedModel.load({
        folder: await makeModel(join(folder, 'model'), { width }),
        device: 'cpu',
        threads: 1,
      });
      reader = new BranchReader(model.device, model.cola, 300, []);
    });
    after(async () => {
      await reader.dispose();
      await model.release();
      await removeFolder(folder);
    });

    const stem = [5, 900, 17, 33, 1200, 8, 8, 64, 2, 300];
    const alone = async (ids: readonly number[]) => reader.read(ids, 0);
    const same = (a: Ahead, b: Ahead) => {
      assert.equal(a.action, b.action);
      assert.equal(a.token, b.token);
      for (const [i, x] of a.policyLogits.entries()) assert.ok(Math.abs(x - b.policyLogits[i]) < 1e-4);
      for (const [i, x] of a.state.entries()) assert.ok(Math.abs(x - b.state[i]) < 1e-4);
    };

    it('sees the text and itself, and none of the others', async () => {
      for (const count of [1, 3, 8]) {
        const branches = Array.from({ length: count }, (_, i) => [40 + i, 70 + 3 * i, 11 * i]);
        const expected: Ahead[] = [];
        for (const branch of branches) expected.push(await alone([...stem, ...branch]));
        await reader.read(stem, 0);
        let free = stem.length;
        const slots = branches.map((): number[] => []);
        let ahead: Ahead[] = [];
        for (let t = 0; t < 3; t++) {
          const step = branches.map((branch, i) => {
            slots[i].push(free++);
            return { id: branch[t], position: stem.length + t, text: stem.length, slots: slots[i] };
          });
          ahead = await reader.step(step);
        }
        for (const [i, one] of ahead.entries()) same(one, expected[i]);
        // What branched away has left no trace in the text.
        same(await reader.read([...stem.slice(-2)], stem.length - 2), await alone(stem));
      }
    });

    it('does so where the base sees a window', async () => {
      const copy = join(folder, 'window');
      await cp(join(folder, 'model'), copy, { recursive: true });
      const file = join(copy, 'config.json');
      const config = JSON.parse(await readFile(file, 'utf8')) as object;
      const mistral = { model_type: 'mistral', architectures: ['MistralForCausalLM'] };
      await writeFile(file, JSON.stringify({ ...config, ...mistral, sliding_window: 4 }));
      const near = await LoadedModel.load({ folder: copy, device: 'cpu', threads: 1 });
      const own = new BranchReader(near.device, near.cola, 300, []);
      const whole = await own.read([...stem, 40, 70, 11], 0);
      await own.read(stem, 0);
      const slots: number[] = [];
      let last: Ahead[] = [];
      for (const [t, id] of [40, 70, 11].entries()) {
        slots.push(stem.length + 2 * t);
        last = await own.step([{ id, position: stem.length + t, text: stem.length, slots }]);
      }
      same(last[0], whole);
      const far = await alone([...stem, 40, 70, 11]);
      assert.ok(
        far.state.some((x, i) => Math.abs(x - whole.state[i]) > 1e-3),
        'the window is seen',
      );
      await own.dispose();
      await near.release();
    });

    it('reads in pieces what it reads at once', async () => {
      const text = Array.from({ length: 100 }, (_, i) => (i * 37) % 4000);
      const whole = await reader.read(text, 0);
      for (const pieces of [
        [40, 60],
        [1, 7, 92],
        [99, 1],
      ]) {
        let at = 0;
        let last: Ahead | undefined;
        for (const length of pieces) {
          last = await reader.read(text.slice(at, at + length), at);
          at += length;
        }
        assert.ok(last !== undefined);
        same(last, whole);
      }
    });

    it('makes room, and says that the text is to be read again', async () => {
      assert.equal(await reader.grow(reader.room), false);
      const { room } = reader;
      const before = await alone(stem);
      assert.equal(await reader.grow(room + 1), true);
      assert.ok(reader.room > room);
      same(await alone(stem), before);
    });
  });
