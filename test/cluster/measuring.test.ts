import assert from 'node:assert/strict';
import { LocalCarrier } from '../../server/cluster/local.ts';
import { Device } from '../../server/device/device.ts';
import { ColaError } from '../../server/errors.ts';
import type { HireMeasurers } from '../../server/evaluate/measuring.ts';
import { program } from '../support/bundled.ts';
import { Bench, specOf, stages, start } from '../support/runs.ts';
import { watched } from '../support/workers.ts';
import { hiring, measuredIn } from './measured.ts';

describe('measurements over many prompts', function () {
  this.timeout(120_000);
  const bench = Bench.forTests();
  const local = () => new LocalCarrier(program('worker'));
  let device: Device;
  let model: string;
  before(async () => {
    device = await Device.open('cpu', { threads: 1 });
    // With Q, so that every way to search is taken.
    model = await start({ root: bench.root, id: bench.fresh() }, specOf(bench.cola, [stages(1).q]));
  });
  after(() => device.dispose());

  const said: string[] = [];
  const say = (text: string) => said.push(text);
  const measured = (hire?: HireMeasurers) => measuredIn(bench.root, device, model, hire);

  it('come to the bits of one process with workers, one of whom is killed', async () => {
    const here = await measured();
    assert.deepEqual(Object.keys(here.results), ['accuracy', 'pass@k', 'search']);
    assert(Object.keys(here.results.search ?? {}).includes('q_correlation'));
    let killed = 0;
    const carrier = watched(local(), (kind, { hello }) => {
      if (kind !== 'begin' || killed > 0) return;
      killed++;
      process.kill(hello.process, 'SIGKILL');
    });
    assert.deepEqual(await measured(hiring(carrier, 2, say)), here);
    assert.equal(killed, 1);
    assert.equal(said.filter((text) => /is replaced: it was ended by SIGKILL/.test(text)).length, 1);
  });

  it('are refused by who has another model', async () => {
    const other = hiring(local(), 1, say, { origin: { model: '0'.repeat(64) } });
    await assert.rejects(measured(other), (error: unknown) => {
      assert(error instanceof ColaError, String(error));
      assert.equal(error.id, 'cluster.model');
      assert.match(error.message, /worker on .* the model /i);
      return true;
    });
  });
});
