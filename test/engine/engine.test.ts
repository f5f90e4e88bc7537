import assert from 'node:assert/strict';
import { join } from 'node:path';
import { complete } from '../../server/protocol/completion.ts';
import { loadModel } from '../../server/protocol/model.ts';
import { startRun, stopRun } from '../../server/protocol/runs.ts';
import {
  closeSearch,
  describeSearch,
  exportSearch,
  extendSearch,
  findInSearch,
  forceAction,
  inspectNode,
  markNode,
  pauseSearch,
  scoreNode,
  searchGrowth,
  searchNodes,
  searchSimulations,
  startSearch,
} from '../../server/protocol/search.ts';
import { InProcess } from '../support/in-process.ts';
import { codes, makeModel, makeSpec, removeFolder, temporaryFolder } from './tiny-model.ts';

describe('the engine', () => {
  let folder = '';
  let model = '';
  let at: InProcess;
  before(async () => {
    folder = await temporaryFolder();
    model = await makeModel(join(folder, 'model'));
    at = new InProcess();
    await at.ask(loadModel, { folder: model, device: 'cpu', threads: 1 });
  });
  after(async () => {
    await at.engine.close();
    await removeFolder(folder);
  });

  it('completes during a training run, which takes one step at most meanwhile', async () => {
    const key = { root: folder, run: 'beside' };
    await at.ask(startRun, { ...key, specFile: await makeSpec(folder, model, 5000) });
    await at.until(() => at.steps > 3);
    for (let i = 0; i < 10; i++) {
      const before = at.steps;
      const { alternatives } = await at.ask(complete, { prefix: `const a${i} = `, maxTokens: 12, alternatives: 4 });
      assert.ok(alternatives.length > 0);
      assert.ok(at.steps - before <= 1, `${at.steps - before} steps`);
      await at.until(() => at.steps > before + 2);
    }
    await at.ask(stopRun, key);
  });

  it('searches, is steered, and has the tree again when it is opened anew', async () => {
    const key = { root: folder, search: 'tree' };
    const options = { max_new: 6, breadth: 3 };
    await at.ask(startSearch, { ...key, prompt: 'const a = ', reward: 'repetition', options });
    await assert.rejects(at.ask(startSearch, { ...key, prompt: 'b', reward: 'repetition' }), {
      id: 'engine.searchExists',
    });
    await at.ask(extendSearch, { ...key, simulations: 20 });
    await at.until(() => at.ends.length === 1);
    assert.deepEqual(at.ends, ['simulations']);
    const { nodes, count, simulations } = await at.ask(searchNodes, key);
    assert.equal(simulations, 20);
    assert.equal(nodes.length, count);
    assert.equal(nodes[0].visits, 20);
    for (const { id, parent } of nodes) assert.ok(parent < id);
    assert.equal((await at.ask(searchNodes, { ...key, from: 2, to: 5 })).nodes[0].id, 2);
    assert.equal((await at.ask(searchSimulations, { ...key, from: 15 })).simulations.length, 5);
    const { codes: all } = await at.ask(inspectNode, { ...key, node: 0 });
    assert.equal(all.length, codes);
    assert.equal(all.filter(({ child }) => child !== null).length, 3);
    // One that leads to the token of a child would be that child.
    const taken = new Set(all.flatMap(({ child, text }) => (child === null ? [] : [text])));
    const untried = all.find(({ child, text }) => child === null && !taken.has(text))?.action ?? -1;
    const { node } = await at.ask(forceAction, { ...key, node: 0, action: untried });
    assert.equal(node, count);
    await at.ask(extendSearch, { ...key, simulations: 5 });
    await at.until(() => at.ends.at(-1) === 'simulations' && at.ends.length >= 3);
    const forced = (await at.ask(searchNodes, { ...key, from: node, to: node + 1 })).nodes[0];
    assert.deepEqual([forced.forced, forced.visits], [true, 5]);
    await at.ask(markNode, { ...key, node, mark: 'release' });
    await at.ask(markNode, { ...key, node: 1, mark: 'ban' });
    await at.ask(scoreNode, { ...key, node: 2, score: 0.75 });
    const known = await at.ask(searchNodes, key);
    await at.ask(closeSearch, key);
    // From its file.
    assert.deepEqual(await at.ask(searchNodes, key), known);
    assert.deepEqual([known.nodes[1].banned, known.nodes[2].score], [true, 0.75]);
    await at.ask(extendSearch, { ...key, simulations: 1000 });
    await at.ask(pauseSearch, key);
    assert.equal(at.ends.at(-1), 'cancelled');
    assert.ok((await at.ask(searchNodes, key)).simulations < 1025);
  });

  it('describes a search, tells how it grew, finds text in it, and writes it out', async () => {
    const key = { root: folder, search: 'shown' };
    const prompt = 'const a = ';
    await at.ask(startSearch, {
      ...key,
      prompt,
      reward: 'repetition',
      options: { max_new: 6, breadth: 3, gamma: 0.9 },
    });
    const before = at.ends.length;
    await at.ask(extendSearch, { ...key, simulations: 20 });
    await at.until(() => at.ends.length > before);
    const about = await at.ask(describeSearch, key);
    assert.deepEqual(
      [about.prompt, about.reward, about.gamma, about.labels[3]],
      [prompt, 'repetition', 0.9, 'declare const'],
    );

    const { nodes } = await at.ask(searchNodes, key);
    const all = await at.ask(searchGrowth, { ...key, nodes: 0, simulations: 0 });
    assert.deepEqual(
      all.nodes.parent,
      nodes.map(({ parent }) => parent),
    );
    assert.deepEqual(
      all.nodes.born,
      nodes.map(({ born }) => born),
    );
    assert.deepEqual(
      all.nodes.action,
      nodes.map(({ actions }) => actions[0] ?? -1),
    );
    assert.equal(all.simulated.node.length, 20);
    const late = await at.ask(searchGrowth, { ...key, nodes: 5, simulations: 18 });
    assert.deepEqual(late.nodes.parent, all.nodes.parent.slice(5));
    assert.deepEqual(late.simulated.value, all.simulated.value.slice(18));
    const some = await at.ask(searchNodes, { ...key, ids: [7, 2, 100_000] });
    assert.deepEqual(some.nodes, [nodes[7], nodes[2]]);

    const deep = nodes.findLast(({ parent }) => parent > 0)!;
    const { path } = await at.ask(inspectNode, { ...key, node: deep.id });
    const steps: number[] = [];
    for (let id = deep.id; id >= 0; id = nodes[id].parent) steps.unshift(...nodes[id].actions);
    assert.deepEqual(
      path.map(({ action }) => action),
      steps,
    );

    const across = (nodes[deep.parent].text + deep.text).toUpperCase();
    assert.ok((await at.ask(findInSearch, { ...key, text: across })).nodes.includes(deep.id));
    assert.deepEqual((await at.ask(findInSearch, { ...key, text: 'in no node of it \u0007' })).nodes, []);

    const json = JSON.parse((await at.ask(exportSearch, { ...key, format: 'json' })).text);
    assert.equal(json.search.kind, 'cola-search');
    assert.match((await at.ask(exportSearch, { ...key, format: 'html' })).text, /^<!doctype html>/);
  });
});
