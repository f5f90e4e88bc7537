import assert from 'node:assert/strict';
import { runError, State } from '../../server/device/program.ts';
import * as ops from '../../server/graph/ops.ts';
import { Graph } from '../../server/graph/tensor.ts';
import { onEachDevice } from '../support/devices.ts';

describe('programs', () => {
  onEachDevice((device) => {
    const plusOne = (resident: string[] = []) => {
      const g = new Graph();
      return device().compile({ y: ops.add(g.input('x', 'float32', [2]), 1) }, { resident });
    };

    it('are counted until they are disposed, and then say so', async () => {
      const before = device().ledger.programs;
      const program = await plusOne();
      assert.equal(device().ledger.programs, before + 1);
      await program.dispose();
      await program.dispose();
      assert.equal(device().ledger.programs, before);
      await assert.rejects(program.run({ x: new Float32Array(2) }), { id: 'device.released' });
    });

    it('take host memory and buffers alike, and keep residents where they are', async () => {
      const program = await plusOne(['y']);
      const first = await program.run({ x: Float32Array.of(1, 2) });
      const second = await program.run({ x: first.y });
      assert.equal(second.y.onHost, device().onHost);
      assert.deepEqual([...(await second.y.read())], [3, 4]);
      first.y.release();
      second.y.release();
      await program.dispose();
    });

    it('leave buffers behind that work in other programs', async () => {
      const [maker, other] = [await plusOne(['y']), await plusOne(['y'])];
      const { y } = await maker.run({ x: Float32Array.of(1, 2) });
      await maker.dispose();
      // Further programs take the memory that a session freed too early would have left.
      const more = await Promise.all([plusOne(['y']), plusOne(['y']), plusOne(['y'])]);
      for (const program of [other, ...more]) {
        const next = await program.run({ x: y });
        assert.deepEqual([...(await next.y.read())], [3, 4]);
        next.y.release();
      }
      assert.deepEqual([...(await y.read())], [2, 3]);
      y.release();
      for (const program of [other, ...more]) await program.dispose();
    });

    it('carry a state that outlives them', async () => {
      const carrier = () => {
        const g = new Graph();
        return device().compile({ w: ops.add(g.input('w', 'float32', [2]), 1) }, { carried: ['w'] });
      };
      const state = new State();
      state.set('w', await device().upload(new Float32Array(2), 'float32', [2]));
      for (let life = 1; life <= 3; life++) {
        const program = await carrier();
        await program.run({}, { states: [state] });
        await program.run({}, { states: [state] });
        await program.dispose();
        assert.deepEqual([...(await state.get('w').read())], [2 * life, 2 * life]);
      }
      assert.equal(device().ledger.buffers, 1);
      state.dispose();
      assert.equal(device().ledger.buffers, 0);
    });

    it('write outputs into given memory', async () => {
      const program = await plusOne();
      const memory = new Float32Array(2);
      assert.deepEqual(await program.run({ x: Float32Array.of(1, 2) }, { into: { y: memory } }), {});
      assert.deepEqual([...memory], [2, 3]);
      assert.equal(device().ledger.buffers, 0);
      await program.dispose();
    });

    it('look inputs up in states, after the feeds', async () => {
      const program = await plusOne();
      const state = new State();
      state.set('x', await device().upload(Float32Array.of(5, 5), 'float32', [2]));
      const values = async (feeds: Record<string, Float32Array>) => {
        const { y } = await program.run(feeds, { states: [new State(), state] });
        const read = [...(await y.read())];
        y.release();
        return read;
      };
      assert.deepEqual(await values({}), [6, 6]);
      assert.deepEqual(await values({ x: Float32Array.of(1, 1) }), [2, 2]);
      state.dispose();
      await assert.rejects(values({}), /the input x \[2\] is not given/);
      await program.dispose();
    });

    it('refuse a graph the runtime does not know', async () => {
      const before = device().ledger.programs;
      const x = new Graph().input('x', 'float32', [2]);
      const unknown = device().compile({ y: x.graph.node('NoSuchOp' as never, [x], 'float32', [2]) });
      await assert.rejects(unknown, { id: 'device.failed' });
      assert.equal(device().ledger.programs, before);
    });
  });

  it('states hold one buffer a name, and release what is replaced', async () => {
    const { Device } = await import('../../server/device/device.ts');
    const device = await Device.open('cpu');
    const [a, b] = [
      await device.upload(new Float32Array(1), 'float32', [1]),
      await device.upload(new Float32Array(1), 'float32', [1]),
    ];
    const state = new State();
    state.set('x', a);
    state.set('x', a);
    assert.equal(state.get('x'), a);
    state.set('x', b);
    assert.throws(() => a.handle, { id: 'device.released' });
    assert.deepEqual([...state.names], ['x']);
    assert(state.has('x') && !state.has('y'));
    assert.throws(() => state.get('y'), /no state named y/);
    state.dispose();
    assert.deepEqual({ ...device.ledger }, { buffers: 0, bytes: 0, programs: 0 });
    await device.dispose();
  });

  it('running out of memory is told apart from other failures', async () => {
    for (const message of [
      'std::bad_alloc',
      'Failed to allocate memory for requested buffer of size 4096',
      'Non-zero status code returned while running Expand node. AllocateRawInternal',
      'Out of memory',
      'Buffer size (5368709120) exceeds the max buffer size limit (4294967296).',
    ]) {
      const error = runError('webgpu', new Error(message));
      assert.equal((error as { id?: string }).id, 'device.outOfMemory', message);
    }
    const other = runError('cpu', new Error('indices element out of data bounds, idx=9\nsecond line'));
    assert.equal((other as { id?: string }).id, 'device.failed');
    assert.match(other.message, /"cpu".*idx=9$/);
  });

  it('a real lack of memory is reported as such', async () => {
    const { Device } = await import('../../server/device/device.ts');
    const device = await Device.open('cpu');
    const x = new Graph().input('x', 'float32', [1]);
    // 2^48 bytes: more than an address space of 47 bits has.
    const program = await device.compile({ y: ops.sum(ops.expand(x, [2 ** 23, 2 ** 23])) });
    await assert.rejects(program.run({ x: new Float32Array(1) }), { id: 'device.outOfMemory' });
    await program.dispose();
    await device.dispose();
  });
});
