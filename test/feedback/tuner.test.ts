import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LoadedModel } from '../../server/completion/loaded-model.ts';
import type { FeedbackLine } from '../../server/feedback/lines.ts';
import { FeedbackLog, feedbackFile } from '../../server/feedback/log.ts';
import { PolicyVersions } from '../../server/feedback/versions.ts';
import { feedbackSettings } from '../../server/spec/settings/feedback.ts';
import { SimulatedPerson } from '../../server/tuning/simulated-person.ts';
import { Tuner } from '../../server/tuning/tuner.ts';
import { makeModel, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';
import { errorOf } from '../store/scratch.ts';
import { linesOf, resume, specOf, start } from '../support/runs.ts';
import { judgedBy, places } from './person.ts';

const quick = { learning_rate: 3e-3, warmup: 0, epochs: 4, kl: 0.01 };
const signal = new AbortController().signal;

describe('tuning from feedback', () => {
  let folder = '';
  let model: LoadedModel;
  let tuner: Tuner;
  let lines: FeedbackLine[] = [];
  const wants = (action: number) => action % 2 === 1;

  before(async () => {
    folder = await temporaryFolder();
    model = await LoadedModel.load({ folder: await makeModel(join(folder, 'model')), device: 'cpu', threads: 1 });
    tuner = new Tuner(model.device, model.cola, model.policy.own);
    lines = await judgedBy(model, 100, wants);
  });
  after(async () => {
    await tuner.dispose();
    await model.release();
    assert.deepEqual({ ...model.device.ledger }, { buffers: 0, bytes: 0, programs: 0 });
    await removeFolder(folder);
  });
  beforeEach(async () => {
    await model.policy.replace('original', undefined, () => model.forget());
  });

  let roots = 0;
  const fresh = (log: readonly FeedbackLine[]) => {
    const root = join(folder, `root${roots++}`);
    const file = new FeedbackLog(feedbackFile(root));
    file.append(log);
    return { root, log: file, versions: new PolicyVersions(root) };
  };
  const put = async (versions: PolicyVersions, id: string) =>
    model.policy.replace(id, versions.weights(id, model.cola, model.fingerprint), () => model.forget());

  /** First alternatives at places that were not learned from, with all that is said about them. */
  const offered = async () => {
    const person = new SimulatedPerson(model, 2, 4);
    const sittings = [];
    for (const place of places(40, 5000)) sittings.push((await person.sit(place, 'x', 0)).alternatives);
    return sittings;
  };
  /**
   * What the policy gives to alternatives that are wanted, of all it gives. Which one comes first the base decides too, and that
   * of this model is sure of itself and knows nothing.
   */
  const share = (sittings: Awaited<ReturnType<typeof offered>>) => {
    const first = sittings.flat().flatMap(({ tokens }) => tokens.slice(0, 1));
    const sum = (some: typeof first) => some.reduce((total, { prior }) => total + prior, 0);
    return sum(first.filter(({ action }) => wants(action))) / sum(first);
  };

  it('brings what the person wants to the front, and undoing it brings back the very same', async () => {
    const before = await offered();
    const { log, versions } = fresh(lines);
    const { version } = await tuner.tune(log, versions, { settings: feedbackSettings.parse(quick), signal });
    assert.equal(version.verdict, 'kept', version.why);
    assert.ok((version.acceptance.after ?? 0) > (version.acceptance.before ?? 1), version.why);
    assert.equal(versions.current.version, version.id);
    await put(versions, version.id);
    const after = await offered();
    assert.ok(share(after) > share(before), `${share(before)} -> ${share(after)}`);
    await versions.choose('original', false);
    await put(versions, 'original');
    assert.deepEqual(await offered(), before);
    await put(versions, version.id);
    assert.deepEqual(await offered(), after);
    // From its file, with nothing in memory.
    const again = new PolicyVersions(versions.root).weights(version.id, model.cola, model.fingerprint);
    for (const [name, values] of again ?? []) assert.deepEqual(values, await model.policy.state.get(name).readFloats());
  });

  it('is not put in use where too little was held back to judge by, but is there for whoever chooses it', async () => {
    const { log, versions } = fresh(lines.slice(0, 10));
    const { version } = await tuner.tune(log, versions, { settings: feedbackSettings.parse(quick), signal });
    assert.equal(version.verdict, 'unjudged', version.why);
    assert.ok(version.held_back < 10);
    assert.equal(versions.current.version, 'original');
    await versions.choose(version.id, false);
    await put(versions, version.id);
    assert.equal(versions.current.version, version.id);
  });

  it('is refused where rewards are turned around: what was held back speaks against it', async () => {
    const { log, versions } = fresh(lines);
    const settings = feedbackSettings.parse({ ...quick, rewards: { accepted: -1, escape: 1 } });
    const { version } = await tuner.tune(log, versions, { settings, signal });
    assert.equal(version.verdict, 'refused');
    assert.equal(versions.current.version, 'original');
    assert.deepEqual(readdirSync(join(versions.folder, version.id)), ['version.json']);
    await assert.rejects(versions.choose(version.id, false), errorOf('feedback.noVersion'));
  });

  it('is refused where many versions together have gone astray, though the last one has not', async () => {
    const { log, versions } = fresh(lines);
    const settings = feedbackSettings.parse({ ...quick, learning_rate: 1e-7 });
    const { version: first, weights } = await tuner.tune(log, versions, { settings, signal });
    assert.equal(first.verdict, 'kept', first.why);
    const sure = new Map([...weights].map(([name, x]) => [name, /head/.test(name) ? x.map((w) => 20 * w) : x]));
    const { id: _, ...facts } = first;
    const astray = await versions.add(facts, model.cola, sure);
    await versions.choose(astray.id, false);
    const { version, before, after } = await tuner.tune(log, versions, { settings, signal });
    assert.ok(Math.abs((after.textLoss ?? 0) - (before.textLoss ?? 0)) < 1e-3, 'this update changed nothing');
    assert.equal(version.verdict, 'refused');
    assert.match(version.why, /Over all versions/);
    assert.equal(versions.current.version, astray.id);
  });

  it('gives the same policy from the same log', async () => {
    const settings = feedbackSettings.parse(quick);
    const [a, b] = [fresh(lines), fresh(lines)];
    const one = await tuner.tune(a.log, a.versions, { settings, signal });
    const two = await tuner.tune(b.log, b.versions, { settings, signal });
    for (const [name, values] of one.weights) assert.deepEqual(values, two.weights.get(name));
  });

  it('learns visits of a search where nothing was judged, and never holds a path back', async () => {
    const path = lines.flatMap((line): FeedbackLine[] =>
      line.kind === 'moment' ? [{ ...line, source: 'search', visits: [[6, 1]] }] : [],
    );
    const { log, versions } = fresh(path.slice(0, 40));
    const settings = feedbackSettings.parse({ ...quick, epochs: 12, learning_rate: 1e-2 });
    const { version, weights } = await tuner.tune(log, versions, { settings, signal });
    assert.deepEqual([version.moments, version.judged, version.held_back], [40, 0, 0]);
    const sixes = async () =>
      (await offered()).filter((alternatives) => alternatives[0]?.tokens[0]?.action === 6).length;
    const before = await sixes();
    await model.policy.replace('path', weights, () => model.forget());
    const after = await sixes();
    assert.ok(after > before + 10, `${before} -> ${after} of 30`);
  });

  it('leaves a pinned version alone, and says so where there is nothing to learn', async () => {
    const { log, versions } = fresh(lines.slice(0, 40));
    const settings = feedbackSettings.parse(quick);
    await versions.choose('original', true);
    await assert.rejects(tuner.tune(log, versions, { settings, signal }), errorOf('feedback.pinned'));
    await versions.choose('original', false);
    const empty = fresh([]);
    await assert.rejects(tuner.tune(empty.log, empty.versions, { settings, signal }), errorOf('feedback.empty'));
    const other = fresh(lines.map((line) => (line.kind === 'moment' ? { ...line, model: 'another' } : line)));
    await assert.rejects(tuner.tune(other.log, other.versions, { settings, signal }), errorOf('feedback.empty'));
  });

  it('ends between two updates when it is cancelled, and nothing has changed', async () => {
    const { log, versions } = fresh(lines);
    const controller = new AbortController();
    let done = 0;
    const onProgress = () => {
      if (++done === 3) controller.abort(new Error('enough'));
    };
    const options = { settings: feedbackSettings.parse(quick), signal: controller.signal, onProgress };
    await assert.rejects(tuner.tune(log, versions, options), /enough/);
    assert.deepEqual([done, versions.list(), versions.current.version], [3, [], 'original']);
  });

  it('refuses a version of another model, and one whose weights are damaged', async () => {
    const { log, versions } = fresh(lines);
    const { version } = await tuner.tune(log, versions, { settings: feedbackSettings.parse(quick), signal });
    assert.throws(() => versions.weights(version.id, model.cola, 'another'), errorOf('feedback.otherModel'));
    rmSync(join(versions.folder, version.id, 'policy.safetensors'));
    assert.throws(() => versions.weights(version.id, model.cola, model.fingerprint), errorOf('feedback.version'));
  });

  it('is a stage like others: it goes on exactly where it was stopped, though the log has grown', async () => {
    const { root, log } = fresh(lines);
    const stage = { feedback: { data: 'feedback', ...quick, epochs: 1, checkpoint_every: 2, evaluate_every: 4 } };
    const spec = specOf(join(folder, 'model'), [stage]);
    await start({ root, id: 'whole' }, spec);
    const controller = new AbortController();
    const onEvent = (event: { kind: string; step?: number }) => {
      if (event.kind === 'step' && event.step === 3) controller.abort(new DOMException('stop', 'AbortError'));
    };
    await assert.rejects(
      start({ root, id: 'stopped', signal: controller.signal, onEvent }, spec),
      errorOf('train.stopped'),
    );
    const more = lines.map((line) =>
      line.kind === 'moment' ? { ...line, id: `${line.id}x` } : { ...line, moment: `${line.moment}x` },
    );
    log.append(more);
    await resume({ root, id: 'stopped' });
    assert.deepEqual(linesOf(root, 'stopped', 'metrics'), linesOf(root, 'whole', 'metrics'));
    assert.ok(linesOf(root, 'whole', 'metrics').length > 8);
  });
});
