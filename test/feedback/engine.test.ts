import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { LoadedModel } from '../../server/completion/loaded-model.ts';
import { feedbackLine } from '../../server/feedback/lines.ts';
import { FeedbackLog, feedbackFile } from '../../server/feedback/log.ts';
import { PolicyVersions } from '../../server/feedback/versions.ts';
import { complete } from '../../server/protocol/completion.ts';
import { pathLines, scorePolicies, tunePolicy, usePolicy } from '../../server/protocol/feedback.ts';
import { loadModel } from '../../server/protocol/model.ts';
import { extendSearch, scoreNode, searchEvent, searchNodes, startSearch } from '../../server/protocol/search.ts';
import { makeModel, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';
import { engineLine } from '../support/engine-line.ts';
import { judgedBy } from './person.ts';

describe('feedback in the engine', () => {
  let folder = '';
  let progress = 0;
  let searched = () => {};
  const { engine, channel } = engineLine();
  const ask = channel.ask.bind(channel);
  channel.on(searchEvent, ({ end }) => {
    if (end !== null) searched();
  });

  before(async () => {
    folder = await temporaryFolder();
    const path = await makeModel(join(folder, 'model'));
    const model = await LoadedModel.load({ folder: path, device: 'cpu', threads: 1 });
    new FeedbackLog(feedbackFile(folder)).append(await judgedBy(model, 100, (action) => action % 2 === 1));
    await model.release();
    await ask(loadModel, { folder: path, device: 'cpu', threads: 1 });
  });
  after(async () => {
    await engine.close();
    await removeFolder(folder);
  });

  it('tunes while completion goes on, one update at a time, and completes with the new version at once', async () => {
    const request = { prefix: 'const total = ', fill: false, maxTokens: 4, alternatives: 4 };
    const before = await ask(complete, request);
    assert.equal(before.record?.version, 'original');
    let done = false;
    const settings = { learning_rate: 3e-3, warmup: 0, epochs: 4, kl: 0.01 };
    const noted = {
      progress: () => {
        progress++;
      },
    };
    const tuning = ask(tunePolicy, { root: folder, settings }, noted).finally(() => {
      done = true;
    });
    let meanwhile = 0;
    while (!done) {
      const updates: number = progress;
      const { record, alternatives } = await ask(complete, { ...request, prefix: `const a${meanwhile++} = ` });
      assert.ok(alternatives.length > 0);
      if (!done) assert.equal(record?.version, 'original');
      assert.ok(progress - updates <= 1, `${progress - updates} updates while a completion waited`);
      // Whoever types without a pause is served first, always.
      while (!done && progress < updates + 3) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const version = await tuning;
    assert.equal(version.verdict, 'kept', version.why);
    assert.ok(meanwhile > 3);
    const after = await ask(complete, request);
    assert.equal(after.record?.version, version.id);
    const { record, alternatives } = before;
    const scored = { root: folder, model: record?.model ?? '', prompt: record?.prompt ?? [] };
    for (const { tokens } of alternatives) {
      const [first] = tokens;
      const { scores } = await ask(scorePolicies, { ...scored, tokens: [first.id], actions: [first.action] });
      const [own, tuned] = scores;
      assert.deepEqual([own.version, tuned.version, scores.length], ['original', version.id, 2]);
      assert.ok(Math.abs(own.probability - first.prior) < 1e-5, 'what completion said of it');
      const whole = { tokens: tokens.map(({ id }) => id), actions: tokens.map(({ action }) => action) };
      const [all] = (await ask(scorePolicies, { ...scored, ...whole })).scores;
      const mean = Math.exp(tokens.reduce((sum, { prior }) => sum + Math.log(prior), 0) / tokens.length);
      assert.ok(Math.abs(all.probability - mean) < 1e-5);
    }
    for (const { tokens } of after.alternatives) {
      const [first] = tokens;
      const { scores } = await ask(scorePolicies, { ...scored, tokens: [first.id], actions: [first.action] });
      assert.ok(Math.abs(scores[1].probability - first.prior) < 1e-5, 'what the tuned one said of it');
    }
    const other = { ...scored, model: 'another', tokens: [1], actions: [1] };
    assert.deepEqual(await ask(scorePolicies, other), { scores: [] });
    await new PolicyVersions(folder).choose('original', false);
    assert.deepEqual(await ask(usePolicy, { root: folder }), { version: 'original' });
    const back = await ask(complete, request);
    assert.deepEqual(back.alternatives, before.alternatives);
  });

  it('completes with the version of the folder in question, though another has one of the same name', async () => {
    const request = { prefix: 'const total = ', fill: false, maxTokens: 4, alternatives: 4 };
    const completed = [];
    const folders = [1, 2].map((epochs) => ({ root: join(folder, `of-${epochs}`), epochs }));
    for (const { root, epochs } of folders) {
      cpSync(feedbackFile(folder), feedbackFile(root));
      const { id, verdict, why } = await ask(tunePolicy, {
        root,
        settings: { learning_rate: 1e-3, warmup: 0, epochs },
      });
      assert.deepEqual([id, verdict], ['v0001', 'kept'], why);
      completed.push(await ask(complete, request));
    }
    assert.notDeepEqual(completed[0].alternatives, completed[1].alternatives);
    await ask(usePolicy, { root: folders[0].root });
    assert.deepEqual((await ask(complete, request)).alternatives, completed[0].alternatives);
    await ask(usePolicy, { root: folder });
  });

  it('makes feedback of a path: what was chosen, what was passed over, scores and visits', async () => {
    const key = { root: folder, search: 'path' };
    await ask(startSearch, { ...key, prompt: 'const a = ', reward: 'repetition', options: { max_new: 6, breadth: 3 } });
    const ended = new Promise<void>((resolve) => {
      searched = resolve;
    });
    await ask(extendSearch, { ...key, simulations: 20 });
    await ended;
    const { nodes } = await ask(searchNodes, key);
    const children = nodes.filter(({ parent }) => parent === 0);
    await ask(scoreNode, { ...key, node: children[1].id, score: 0.25 });
    const { lines } = await ask(pathLines, { ...key, node: children[0].id });
    const [moment, ...events] = lines.map((line) => feedbackLine.parse(line));
    assert.ok(moment.kind === 'moment' && moment.alternatives.length === children.length);
    assert.ok(Math.abs((moment.visits ?? []).reduce((sum, [, share]) => sum + share, 0) - 1) < 1e-9);
    const said = events.flatMap((line) => (line.kind === 'event' ? [`${line.alternative} ${line.what}`] : []));
    assert.ok(said.includes('0 chosen') && said.includes('1 scored') && said.includes('2 passed'), said.join());
  });
});
