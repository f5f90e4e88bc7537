import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { complete } from '../../server/protocol/completion.ts';
import { pathLines } from '../../server/protocol/feedback.ts';
import { loadModel } from '../../server/protocol/model.ts';
import {
  closeSearch,
  describeSearch,
  exportSearch,
  extendSearch,
  findInSearch,
  forceAction,
  inspectNode,
  markNode,
  type SearchEvent,
  scoreNode,
  searchEvent,
  searchGrowth,
  searchNodes,
  searchSimulations,
  startTurnSearch,
} from '../../server/protocol/search.ts';
import { eventually } from '../e2e/support/eventually.ts';
import { type EngineLine, engineLine } from '../support/engine-line.ts';
import { codes, makeModel } from './tiny-model.ts';

/** An episode has three turns, each of which takes its time and earns 1. */
const counting = `export default { instructions: 'Count.', create() {
  let n = 0;
  return {
    reset(seed) { n = 0; return 'World ' + seed; },
    async step(text) {
      n++;
      await new Promise((resolve) => setTimeout(resolve, 30));
      return { observation: 'Turn ' + n + ' had ' + text.length + ' letters.', reward: 1, done: n === 3 };
    },
  };
} };`;
/** Each step does something that stays done. */
const server = join(import.meta.dirname, '../support/mcp-server.mjs');

describe('a search over turns in the engine', function () {
  this.timeout(120_000);
  let line: EngineLine;
  let root = '';
  let model = '';
  const heard: SearchEvent[] = [];

  before(async () => {
    line = engineLine();
    line.channel.on(searchEvent, (event) => heard.push(event));
    root = mkdtempSync(join(tmpdir(), 'cola-turns-'));
    model = await makeModel(join(root, 'model'));
    writeFileSync(join(root, 'counting.mjs'), counting);
    await line.channel.ask(loadModel, { folder: model, device: 'cpu', threads: 1 });
  });
  after(async () => {
    await line.engine.close();
    rmSync(root, { recursive: true });
  });

  const world = { environment: 'household', seed: 3, side: 'seen' as const };
  const begin = (search: string, more: object = {}) =>
    line.channel.ask(startTurnSearch, { root, search, ...world, model, ...more });
  const extend = async (search: string, simulations: number) => {
    const from = heard.length;
    await line.channel.ask(extendSearch, { root, search, simulations });
    await eventually('the search stands', () => assert.notEqual(heard.slice(from).at(-1)?.end ?? null, null));
    const last = heard.at(-1)!;
    assert.equal(last.message, undefined);
    return last;
  };

  it('grows from where the episode stands, is told turn by turn, is steered, and is there again from its file', async () => {
    const key = { root, search: 'house' };
    await begin('house', { behind: ['go to bed 1'], options: { breadth: 3, seed: 2, max_new: 6 } });
    const told = await extend('house', 12);
    assert.deepEqual([told.end, told.simulations], ['simulations', 12]);
    const about = await line.channel.ask(describeSearch, key);
    assert.deepEqual({ ...about.world, start: '', behind: [] }, { ...world, start: '', behind: [] });
    assert.deepEqual(
      about.world?.behind.map(({ said }) => said),
      ['go to bed 1'],
    );
    assert.match(about.prompt, /> go to bed 1\n/);
    assert.equal(about.labels.length, codes);
    const { nodes } = await line.channel.ask(searchNodes, key);
    assert.equal(nodes[0].visits, 12);
    assert.ok(nodes.slice(1).every(({ text }) => / → .+$/.test(text)));
    const { path, codes: turns } = await line.channel.ask(inspectNode, { ...key, node: nodes.at(-1)!.id });
    assert.ok(path.length >= 1 && path.every(({ text }) => /^> .*\n.+\n$/s.test(text)));
    assert.ok(turns.every(({ child }) => child !== null));
    const below = (await line.channel.ask(inspectNode, { ...key, node: 0 })).codes;
    assert.equal(below.length, nodes.filter(({ parent }) => parent === 0).length);
    assert.ok(Math.abs(below.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9);
    const growth = await line.channel.ask(searchGrowth, { ...key, nodes: 0, simulations: 0 });
    assert.equal(growth.nodes.parent.length, nodes.length);
    // The text of an episode is all of its turns.
    const { simulations } = await line.channel.ask(searchSimulations, { ...key, from: 0 });
    assert.ok(simulations.every(({ text }) => text.split('\n> ').length > 1));
    const { nodes: found } = await line.channel.ask(findInSearch, { ...key, text: 'nothing happened' });
    assert.ok(found.length > 0 && found.every((id) => nodes[id].text.toLowerCase().includes('nothing')));

    await line.channel.ask(markNode, { ...key, node: below[0].child!, mark: 'ban' });
    await line.channel.ask(scoreNode, { ...key, node: nodes.length - 1, score: 0.5 });
    const before = await line.channel.ask(searchNodes, key);
    await line.channel.ask(closeSearch, key);
    assert.deepEqual(await line.channel.ask(searchNodes, key), before);
    assert.equal((await extend('house', 3)).simulations, 15);
    for (const format of ['json', 'html'] as const)
      assert.match((await line.channel.ask(exportSearch, { ...key, format })).text, /household/);
    await assert.rejects(line.channel.ask(forceAction, { ...key, node: 0, action: 1 }), { id: 'search.turnActions' });
    await assert.rejects(line.channel.ask(pathLines, { ...key, node: 1 }), { id: 'search.turnPath' });
    await assert.rejects(begin('house'), { id: 'engine.searchExists' });
  });

  it('lets a completion go first, whatever its worlds wait for, and can be closed meanwhile', async () => {
    await begin('slow', { environment: 'counting.mjs', options: { breadth: 2, max_new: 6 } });
    const from = heard.length;
    await line.channel.ask(extendSearch, { root, search: 'slow', simulations: 400 });
    for (let i = 0; i < 5; i++) {
      const { alternatives } = await line.channel.ask(complete, {
        prefix: `const a${i} = `,
        maxTokens: 4,
        alternatives: 2,
      });
      assert.ok(alternatives.length > 0);
    }
    assert.ok(heard.slice(from).every(({ end }) => end === null));
    await line.channel.ask(closeSearch, { root, search: 'slow' });
    assert.equal(heard.at(-1)?.end, 'cancelled');
  });

  it('has the sizes of the stage whose environment it is', async () => {
    const stage = 'tokens: { environment: { household: { kind: put, rooms: 2 } }, turns: 3, max_new: 5, steps: 1 }';
    writeFileSync(join(root, 'sized.cola.yaml'), `model: builtin:nano\nstages:\n  - ${stage}\n`);
    const sized = async (search: string, behind: string[]) => {
      await begin(search, { environment: 'sized.cola.yaml', behind });
      const { world: place, tree } = JSON.parse(readFileSync(join(root, '.cola/searches', `${search}.json`), 'utf8'));
      return [place.turns, tree.options.max_new];
    };
    assert.deepEqual(await sized('sized', ['sing']), [3, 5]);
    assert.deepEqual(await sized('longer', ['sing', 'sing', 'sing']), [4, 5]);
    await extend('sized', 4);
    const { simulations } = await line.channel.ask(searchSimulations, { root, search: 'sized', from: 0 });
    assert.ok(simulations.every(({ text }) => text.split('\n> ').length <= 2));
  });

  it('is refused where turns cannot be taken again, the episode is over, or the world has changed', async () => {
    const command = JSON.stringify([process.execPath, server]);
    const stage = `tokens: { environment: { mcp: { command: ${command}, prompts: p.jsonl, reward: exact } }, steps: 1 }`;
    writeFileSync(join(root, 'tools.cola.yaml'), `model: builtin:nano\nstages:\n  - ${stage}\n`);
    writeFileSync(join(root, 'p.jsonl'), `${JSON.stringify({ prompt: 'Add.', answer: '3' })}\n`.repeat(4));
    await assert.rejects(begin('tools', { environment: 'tools.cola.yaml' }), { id: 'environment.unrepeatable' });
    await assert.rejects(begin('over', { environment: 'counting.mjs', behind: ['a', 'b', 'c'] }), {
      id: 'engine.playOver',
    });
    await begin('other', { environment: 'counting.mjs', options: { max_new: 6 } });
    await extend('other', 4);
    await line.channel.ask(closeSearch, { root, search: 'other' });
    writeFileSync(join(root, 'counting.mjs'), counting.replace('World ', 'Place '));
    await assert.rejects(line.channel.ask(describeSearch, { root, search: 'other' }), { id: 'environment.changed' });
    const file = join(root, '.cola/searches/other.json');
    const { world: kept, ...rest } = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ world: { ...kept, seed: -1 }, ...rest }));
    await assert.rejects(line.channel.ask(describeSearch, { root, search: 'other' }), { id: 'search.snapshotJson' });
    writeFileSync(file, '[]');
    await assert.rejects(line.channel.ask(describeSearch, { root, search: 'other' }), { id: 'engine.searchFile' });
  });
});
