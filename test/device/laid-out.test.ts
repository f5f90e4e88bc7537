import assert from 'node:assert/strict';
import { Device } from '../../server/device/device.ts';
import { LaidOutPrograms, layoutRoom } from '../../server/device/laid-out.ts';
import type { Program } from '../../server/device/program.ts';
import * as ops from '../../server/graph/ops.ts';

describe('programs with copies of weights', () => {
  let device: Device;
  before(async () => {
    device = await Device.open('cpu', { threads: 1 });
  });
  after(() => device.dispose());

  const made: string[] = [];
  beforeEach(() => {
    made.length = 0;
  });

  const twice = (key: string) => () => {
    made.push(key);
    return device.program((graph) => {
      const x = graph.input('x', 'float32', [2]);
      return { y: ops.add(x, x) };
    });
  };
  const run = async (program: Program) => {
    const { y } = await program.run({ x: Float32Array.of(1, 2) });
    const values = [...(await y.readFloats())];
    y.release();
    return values;
  };

  it('have a bounded room, and those that were not used for longest go', async () => {
    const programs = new LaidOutPrograms(25);
    const owner = {};
    const use = (key: string, bytes = 10) => programs.use(owner, key, () => bytes, twice(key), run);
    for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) assert.deepEqual(await use(key), [2, 4]);
    assert.deepEqual(made, ['a', 'b', 'c', 'b']);
    assert.deepEqual([programs.bytes, device.ledger.programs], [20, 2]);
    // What has no copies takes no room.
    await use('none', 0);
    assert.deepEqual([programs.bytes, device.ledger.programs], [20, 3]);
    // One that is larger than the room is there alone.
    await use('large', 100);
    assert.deepEqual([programs.bytes, device.ledger.programs], [100, 2]);
    await programs.release(owner);
    assert.deepEqual([programs.bytes, device.ledger.programs], [0, 0]);
  });

  it('stay while they are at work', async () => {
    const programs = new LaidOutPrograms(10);
    const owner = {};
    const first = await programs.use(
      owner,
      'a',
      () => 10,
      twice('a'),
      async (program) => {
        await programs.use(
          owner,
          'b',
          () => 10,
          twice('b'),
          async () => {},
        );
        return run(program);
      },
    );
    assert.deepEqual(first, [2, 4]);
    await programs.use(
      owner,
      'c',
      () => 10,
      twice('c'),
      async () => {},
    );
    assert.deepEqual([made.join(), programs.bytes, device.ledger.programs], ['a,b,c', 10, 1]);
    await programs.release(owner);
  });

  it('are those of all owners, of whom each ends its own', async () => {
    const programs = new LaidOutPrograms(100);
    const [one, other] = [{}, {}];
    for (const owner of [one, other])
      await programs.use(
        owner,
        'same',
        () => 10,
        twice('same'),
        async () => {},
      );
    assert.equal(device.ledger.programs, 2);
    await programs.release(one);
    assert.deepEqual([programs.bytes, device.ledger.programs], [10, 1]);
    await programs.release(other);
    assert.equal(device.ledger.programs, 0);
  });

  it('forget one that could not be made', async () => {
    const programs = new LaidOutPrograms(100);
    const owner = {};
    const failing = () => Promise.reject(new Error('no memory'));
    await assert.rejects(
      programs.use(owner, 'a', () => 10, failing, run),
      /no memory/,
    );
    assert.equal(programs.bytes, 0);
    assert.deepEqual(await programs.use(owner, 'a', () => 10, twice('a'), run), [2, 4]);
    await programs.release(owner);
  });

  it('have a room that is a part of the memory there is', () => {
    assert(layoutRoom() > 0 && layoutRoom() < 1e15);
  });
});
