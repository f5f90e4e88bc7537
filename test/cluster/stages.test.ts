import assert from 'node:assert/strict';
import { LocalCarrier } from '../../server/cluster/local.ts';
import { ColaError } from '../../server/errors.ts';
import { program } from '../support/bundled.ts';
import { Bench, stages } from '../support/runs.ts';
import { watched } from '../support/workers.ts';
import { runsIn, stageRuns } from './trained.ts';

describe('stages in shards', function () {
  this.timeout(120_000);
  const bench = Bench.forTests();
  const usual = () => new LocalCarrier(program('worker'));
  const { train, same } = runsIn(bench, usual);

  // Which of several computes what is the same for all stages: outside the slow form there is one, for the longest list. Two, of a
  // stage in which the base learns, are in `workers`.
  const slow = process.env.COLA_SLOW === '1';
  const most = Math.max(...Object.values(stageRuns).map((list) => list.length));
  const lists = Object.entries(stageRuns).filter(([, list]) => slow || list.length === most);
  const workers = slow ? 2 : 1;
  for (const [name, list] of lists) {
    it(`come to the bits of one process with ${workers} of them, one of whom is killed: ${name}`, async () => {
      const here = await train(list, { engine: 'here' });
      let killed = 0;
      const carrier = () =>
        watched(usual(), (kind, { hello }) => {
          if (kind !== 'sum' || killed > 0) return;
          killed++;
          process.kill(hello.process, 'SIGKILL');
        });
      const there = await train(list, { workers }, carrier);
      same(there, here);
      assert.equal(killed, 1);
      assert.equal(there.said.filter((text) => /is replaced: it was ended by SIGKILL/.test(text)).length, 1);
    });
  }

  it('are refused where they cannot be cut', async () => {
    const feedback = { feedback: { data: 'nothing.jsonl' } };
    await assert.rejects(train([stages(2).clone, feedback], { workers: 1 }), (error: unknown) => {
      assert(error instanceof ColaError, String(error));
      assert.equal(error.id, 'train.notInShards');
      assert.match(error.message, /^The stage feedback cannot be cut into shards.*: the log is read once/);
      return true;
    });
  });
});
