import assert from 'node:assert/strict';
import { join } from 'node:path';
import { ColaModel } from '../../server/cola/model.ts';
import { headOn, inverseDynamics } from '../../server/cola/modules.ts';
import { saidAt } from '../../server/cola/saying.ts';
import { measureCodebook } from '../../server/evaluate/actions/codebook.ts';
import { measureRecovery, measureSaying } from '../../server/evaluate/actions/saying.ts';
import { measureMarginal } from '../../server/evaluate/marginal.ts';
import { Subject } from '../../server/evaluate/subject.ts';
import * as ops from '../../server/graph/ops.ts';
import { Random } from '../../server/random.ts';
import { readText } from '../../server/train/measures/states.ts';
import { removeFolder, temporaryFolder } from '../engine/tiny-model.ts';
import { assertClose } from '../support/reference.ts';
import { colaOf, type Fixture, folder as fixtureFolder, openFixture } from './fixture.ts';

describe('what codes say', () => {
  let fixture: Fixture;
  let folder = '';
  before(async () => {
    fixture = await openFixture();
    folder = await temporaryFolder();
  });
  after(async () => {
    await fixture.close();
    await removeFolder(folder);
  });

  it('is what the marginal loses against L_pred, in bits', async () => {
    const { subject, text } = fixture;
    const cola = colaOf(fixture);
    const { figures } = await measureCodebook(subject, cola, text, 1000);
    const { cross_entropy } = await measureMarginal(subject, cola, text, 1000);
    assertClose([figures.bits], [(cross_entropy - figures.prediction) / Math.LN2], 1e-5);
    assert.equal(figures.healthy, +(figures.bits >= 2 && figures.recovered >= 0.6));
  });

  it('has the loss of codes that are drawn evenly', async () => {
    const { subject, text, reference } = fixture;
    const [T, n, v] = reference.shape('world.logits_first');
    const world = reference.floats('world.logits_first');
    const first = { ids: text.ids.subarray(0, T), count: 1, length: T };
    const found = await measureSaying(subject, colaOf(fixture), first, 1000);
    const draw = new Random(7);
    let sum = 0;
    for (let t = 0; t + 1 < T; t++) {
      const at = (t * n + draw.integer(n)) * v;
      const row = world.subarray(at, at + v);
      sum += Math.log(row.reduce((total, x) => total + Math.exp(x), 0)) - row[first.ids[t + 1]];
    }
    assertClose([found.random_loss], [sum / (T - 1)], 1e-5);
  });

  it('is the same where it is taken at one place of each row, as a stage does', async () => {
    const { subject, text, device } = fixture;
    const cola = colaOf(fixture);
    const { length } = text;
    const rows = length - 1;
    const first = { ids: text.ids.subarray(0, length), count: 1, length };
    const { bits } = await measureSaying(subject, cola, first, 1000);
    // Each row is the same text, looked at one place further on.
    const copies = { ids: new Int32Array(rows * length), count: rows, length };
    for (let row = 0; row < rows; row++) copies.ids.set(first.ids, row * length);
    const places = Int32Array.from({ length: rows }, (_, row) => row);
    const said: number[] = [];
    await readText({ device, base: subject.base, weights: subject.weights }, copies, {
      chunk: rows,
      build: (run) => {
        const { graph, config, context, h } = run;
        const actions = ops.argmax(inverseDynamics(graph, config, cola.config, h, context));
        const logits = headOn(graph, config, cola.config, 'policy', h, context);
        const at = graph.input('places', 'int32', [rows]);
        return { said: saidAt({ ...run, cola: cola.config }, at, actions, logits) };
      },
      feeds: () => ({ places }),
      take: (values) => said.push(...values.floats('said')),
    });
    assertClose([said.reduce((sum, x) => sum + x, 0) / rows / Math.LN2], [bits], 1e-4);
  });

  it('is nothing where all codes are one, however many are in use', async () => {
    const { text, device } = fixture;
    const cola = await ColaModel.load(fixtureFolder);
    const codes = cola.weights.get('codebook.weight');
    assert(codes !== undefined);
    const { hiddenSize: d } = cola.base.config;
    for (let i = d; i < codes.length; i++) codes[i] = codes[i % d];
    await cola.save(join(folder, 'silent'));
    const subject = await Subject.load(device, join(folder, 'silent'));
    const silent = subject.with('idm', 'world', 'policy');
    assert(silent !== undefined);
    const { figures } = await measureCodebook(subject, silent, text, 1000);
    assert(figures.alive > 1, 'codes are in use');
    assertClose([figures.random_loss], [figures.prediction], 1e-5);
    assert(Math.abs(figures.bits) < 1e-4);
    assert.equal(figures.healthy, 0);
    // Chance, for eight codes; of as many trials as are made the share is below a half.
    assert((await measureRecovery(subject, silent, text)) < 0.5);
    subject.dispose();
  });
});
