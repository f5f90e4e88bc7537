import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Carrier } from '../../server/cluster/carrier.ts';
import { Crew } from '../../server/cluster/crew.ts';
import { measuringWork } from '../../server/cluster/employment.ts';
import { LocalCarrier } from '../../server/cluster/local.ts';
import { Device } from '../../server/device/device.ts';
import { ColaError } from '../../server/errors.ts';
import { evaluateModel } from '../../server/evaluate/evaluate.ts';
import type { HireMeasurers } from '../../server/evaluate/measuring.ts';
import { defaultSettings, searchMeasure } from '../../server/evaluate/report.ts';
import { clusterSettings } from '../../server/spec/settings/cluster.ts';
import { program } from '../support/bundled.ts';
import { Bench, specOf, stages, start } from '../support/runs.ts';
import { watched } from '../support/workers.ts';

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
  const hiring =
    (carrier: Carrier, workers: number, changed: Partial<Parameters<HireMeasurers>[0]> = {}): HireMeasurers =>
    (plan) => {
      const settings = clusterSettings.parse({ workers });
      return new Crew(
        carrier,
        measuringWork({ ...plan, ...changed, threads: 1 }, settings, (text) => said.push(text)),
      );
    };

  const measured = (hire?: HireMeasurers) =>
    evaluateModel({
      device,
      model,
      hire,
      measures: ['accuracy', 'pass@k', 'search'],
      task: {
        ...{ prompts: 'rows.jsonl', held_out: 'rows.jsonl', reward: { similarity: {} } },
        ...{ max_new: 5, temperature: 1, top_k: 0, solved_at: 0.5 },
      },
      seeds: [1, 2],
      // Four prompts are sampled at once, and each is searched by itself.
      settings: {
        ...defaultSettings,
        ...{ prompts: 7, samples: 64 },
        search: searchMeasure.parse({ prompts: 3, tokens: 12, breadth: 3, q_above: -0.999 }),
      },
      specFile: join(bench.root, 'x.cola.yaml'),
    });

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
    assert.deepEqual(await measured(hiring(carrier, 2)), here);
    assert.equal(killed, 1);
    assert.equal(said.filter((text) => /is replaced: it was ended by SIGKILL/.test(text)).length, 1);
  });

  it('are refused by who has another model', async () => {
    const other = hiring(local(), 1, { origin: { model: '0'.repeat(64) } });
    await assert.rejects(measured(other), (error: unknown) => {
      assert(error instanceof ColaError, String(error));
      assert.equal(error.id, 'cluster.model');
      assert.match(error.message, /worker on .* the model /i);
      return true;
    });
  });
});
