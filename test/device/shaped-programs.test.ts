import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShapedPrograms } from '../../server/device/shaped-programs.ts';

/** Programs that count those that have not ended. */
function programs() {
  const alive = new Set<string>();
  const make = (key: string) => {
    alive.add(key);
    return {
      key,
      dispose: async () => {
        assert(alive.delete(key), `${key} ends twice`);
      },
    };
  };
  return { alive, make };
}

describe('programs of several shapes', () => {
  it('end when others need their room, those first that were not asked for the longest', async () => {
    const { alive, make } = programs();
    const kept = new ShapedPrograms<ReturnType<typeof make>>(10);
    for (const key of ['a', 'b', 'c']) await kept.keep(key, make(key), () => 3);
    assert.equal(kept.find('a')?.key, 'a');
    await kept.keep('d', make('d'), () => 4);
    assert.deepEqual([...alive].sort(), ['a', 'c', 'd']);
    assert.equal(kept.find('b'), undefined);
    await kept.keep('e', make('e'), () => 100);
    assert.deepEqual([...alive], ['e']);
    await kept.dispose();
    assert.equal(alive.size, 0);
  });

  it('are not reckoned with where there is one, or room for all', async () => {
    const { alive, make } = programs();
    const reckon = (): number => assert.fail('asked');
    const alone = new ShapedPrograms<ReturnType<typeof make>>(1);
    await alone.keep('a', make('a'), reckon);
    const all = new ShapedPrograms<ReturnType<typeof make>>(Number.POSITIVE_INFINITY);
    for (const key of ['b', 'c', 'd']) await all.keep(key, make(key), reckon);
    assert.equal(alive.size, 4);
  });

  it('never hold more than the room, but for the one that was asked for last', async () => {
    const asked = fc.array(fc.record({ key: fc.nat(6).map(String), bytes: fc.nat(9) }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(fc.nat(20), asked, async (room, list) => {
        const { alive, make } = programs();
        const kept = new ShapedPrograms<ReturnType<typeof make>>(room);
        const bytes = new Map<string, number>();
        for (const { key, bytes: own } of list) {
          if (kept.find(key) === undefined) {
            await kept.keep(key, make(key), () => own);
            bytes.set(key, own);
          }
          assert(alive.has(key));
          const held = [...alive].reduce((sum, each) => sum + (bytes.get(each) ?? 0), 0);
          assert(held <= room || alive.size === 1, `${held} of ${room} by ${[...alive]}`);
          assert.equal(kept.count, alive.size);
        }
      }),
    );
  });
});
