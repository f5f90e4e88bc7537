import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { ProgressType } from 'vscode-languageserver/node';
import { loadTokenizer } from '../../server/model/tokenizer/tokenizer.ts';
import { complete } from '../../server/protocol/completion.ts';
import { inspectData, surveyFiles } from '../../server/protocol/data.ts';
import { evaluate } from '../../server/protocol/evaluate.ts';
import { configure, progressToken } from '../../server/protocol/initialize.ts';
import { currentModel, listModels, loadModel } from '../../server/protocol/model.ts';
import { fitSpec, listRuns, startRun } from '../../server/protocol/runs.ts';
import { getStatus, statusChanged } from '../../server/protocol/status.ts';
import { listWorkers } from '../../server/protocol/workers.ts';
import { resolveModel } from '../../server/spec/paths.ts';
import { baseOf } from '../../server/train/run/spec-memory.ts';
import { makeModel, makeSpec, removeFolder, temporaryFolder } from '../engine/tiny-model.ts';
import { Client, failsWith, root } from './client.ts';

describe('the language server', function () {
  this.timeout(120_000);
  let folder = '';
  let model = '';
  before(async () => {
    folder = await temporaryFolder();
    model = await makeModel(join(folder, 'model'));
  });
  after(() => removeFolder(folder));

  it('has no runtime inside: only the engine does', async () => {
    const inputs = async (entry: string) => {
      const { metafile } = await build({
        absWorkingDir: root,
        entryPoints: [entry],
        outdir: 'nowhere',
        bundle: true,
        write: false,
        metafile: true,
        platform: 'node',
        format: 'esm',
        packages: 'external',
      });
      const bundled = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
      return { files: Object.keys(metafile.inputs), packages: new Set(bundled) };
    };
    const server = await inputs('server/main.ts');
    assert.ok(!server.packages.has('onnxruntime-node'));
    assert.deepEqual(
      // The forms of weights, which stand apart from graphs, are what model files are told by.
      server.files.filter((file) => /^server\/(graph\/(?!stored\.ts)|cola\/|search\/|train\/|cli\/)/.test(file)),
      [],
    );
    const engine = await inputs('server/engine/main.ts');
    assert.ok(engine.packages.has('onnxruntime-node'));
    // The messages of MCP servers are those of the editor's protocol; nothing else of it is there.
    const ofEditor = [...engine.packages].filter((name) => name.startsWith('vscode'));
    assert.deepEqual(ofEditor, ['vscode-jsonrpc/node']);
  });

  describe('in a folder that is trusted', () => {
    let client: Client;
    before(async () => {
      client = await Client.start({ model, device: 'cpu', threads: 1, trusted: true });
    });
    after(() => client.stop());

    it('says what a folder and a file have to learn from', async () => {
      const root = join(folder, 'mine');
      await mkdir(join(root, 'node_modules', 'p'), { recursive: true });
      await writeFile(join(root, 'a.py'), 'print(1)\n');
      await writeFile(join(root, 'node_modules', 'p', 'b.js'), 'let b;\n');
      await writeFile(join(root, 'rows.csv'), 'question,answer\nq,#### 4\n');
      const survey = await client.ask(surveyFiles, { root });
      assert.deepEqual(survey.languages, [{ name: 'Python', files: 1, bytes: 9, glob: '**/*.py' }]);
      assert.equal(survey.tokens, null);
      const { inspection } = await client.ask(inspectData, { file: join(root, 'rows.csv') });
      assert.deepEqual(inspection?.rows, [{ asks: 'q', says: '#### 4', right: '4' }]);
      assert.equal(inspection.rewards[0], 'numeric');
      assert.deepEqual(await client.ask(inspectData, { file: join(root, 'a.py') }), { inspection: null });
      await assert.rejects(client.ask(surveyFiles, { root: join(root, 'none') }), failsWith('data.missingFile'));
      assert.equal((await client.ask(getStatus, {})).engine, 'off');
      const text = 'print(1)\n';
      const expected = loadTokenizer(baseOf(model).folder).encode(text, { addSpecialTokens: false }).length;
      const { tokens } = await client.ask(surveyFiles, { root, model });
      assert.deepEqual(tokens, { count: expected, counted: 'all' });
      assert.equal((await client.ask(surveyFiles, { root, model: join(root, 'none') })).tokens, null);
    });

    it('answers about specs, completes, and runs a spec from beginning to end', async () => {
      const file = await makeSpec(folder, model, 12);
      const uri = pathToFileURL(file).href;
      const text = `model: ${model}\nstages:\n  - clone: { data: corpus.txt, stepz: 3 }\n`;
      await client.connection.sendNotification('textDocument/didOpen', {
        textDocument: { uri, languageId: 'yaml', version: 1, text },
      });
      await client.until(() => client.notifications.some(({ method }) => method === 'textDocument/publishDiagnostics'));
      const where = { textDocument: { uri }, position: { line: 2, character: 14 } };
      assert.match(JSON.stringify(await client.connection.sendRequest('textDocument/hover', where)), /Rows to learn/);
      const { alternatives } = await client.ask(complete, { prefix: 'const a = ', maxTokens: 4, alternatives: 3 });
      assert.ok(alternatives.length >= 1);
      assert.equal((await client.ask(getStatus, {})).engine, 'ready');
      assert.equal((await client.ask(fitSpec, { specFile: file })).fits, true);
      assert.equal((await client.ask(listWorkers, {})).cores, availableParallelism());
      await client.ask(startRun, { root: folder, run: 'lsp', specFile: file });
      await client.until(() =>
        client.notifications.some(({ params }) => JSON.stringify(params)?.includes('"state":"done"')),
      );
      const { runs } = await client.ask(listRuns, { roots: [folder] });
      assert.deepEqual(
        runs.map(({ run, state, done, checkpoint }) => ({ run, state, done, checkpoint })),
        [{ run: 'lsp', state: 'done', done: true, checkpoint: 12 }],
      );
      const { models } = await client.ask(listModels, { roots: [folder] });
      const own = models.filter(({ source }) => source !== 'builtin').map(({ source, latent }) => [source, latent]);
      assert.deepEqual(own.slice(0, 2), [
        ['workspace', true],
        ['run', true],
      ]);
      const params = { folder: join(folder, '.cola/runs/lsp'), root: folder, device: 'cpu', threads: 1, limit: 4 };
      const measured = { ...params, measures: ['codebook'] };
      const told: unknown[] = [];
      const others: unknown[] = [];
      client.connection.onProgress(new ProgressType<unknown>(), 'mine', (value) => void told.push(value));
      client.connection.onUnhandledProgress((value) => void others.push(value));
      assert.equal((await client.ask(evaluate, { ...measured, [progressToken]: 'mine' })).decoding, 'actions');
      assert.ok(told.length > 0);
      for (const value of told) assert.match(JSON.stringify(value), /^\{"text":"[^"]+"\}$/);
      const before = told.length;
      await client.ask(evaluate, measured);
      assert.deepEqual([told.length, others.length], [before, 0], 'nobody listens, nothing is told');
      await assert.rejects(client.connection.sendRequest('cola/none', {}), failsWith('protocol.method'));
      await assert.rejects(client.connection.sendRequest('textDocument/rename', where), { code: -32601 });
    });
  });

  it('runs nothing of a folder that is not trusted, but completes', async () => {
    const settings = { model, device: 'cpu', threads: 1 };
    const client = await Client.start(settings);
    try {
      const params = { root: folder, run: 'never', specFile: join(folder, 'tiny.cola.yaml') };
      await assert.rejects(client.ask(startRun, params), failsWith('server.untrusted'));
      await assert.rejects(client.ask(listRuns, { roots: 4 }), failsWith('protocol.params'));
      const { alternatives } = await client.ask(complete, { prefix: 'a', maxTokens: 2 });
      assert.equal(alternatives.length, 1);
      const box = resolveModel('builtin:nano', '');
      const loaded = async () => (await client.ask(currentModel, {})).model?.folder;
      assert.equal(await loaded(), box);
      // A model of the folder is not read, whoever asks; with trust it takes the place of the one in the box.
      await assert.rejects(client.ask(loadModel, { folder: model }), failsWith('server.untrusted'));
      await client.ask(configure, { ...settings, trusted: false, model: join(model, '..') });
      assert.equal(await loaded(), box);
      await client.ask(configure, { ...settings, trusted: true });
      assert.equal(await loaded(), model);
    } finally {
      await client.stop();
    }
  });

  it('takes the settings as they are now, also those that change while a model is loading', async () => {
    const settings = { model, device: 'cpu', threads: 1, trusted: true };
    const client = await Client.start(settings);
    try {
      const completed = client.ask(complete, { prefix: 'a', maxTokens: 2 });
      await client.until(() =>
        client.notifications.some(({ params }) => statusChanged.params.safeParse(params).data?.loading === model),
      );
      const changes = [{ threads: 2 }, { threads: 3 }, { device: 'dml' }];
      const changed = changes.map((change) => client.ask(configure, { ...settings, ...change }));
      // Whether it came before the change or after, it has an answer.
      assert.ok(await completed.then(() => true, failsWith('device.unavailable')));
      const failures = (await Promise.allSettled(changed)).flatMap((each) =>
        each.status === 'rejected' ? [each.reason] : [],
      );
      assert.equal(failures.length, 1);
      assert.ok(failsWith('device.unavailable')(failures[0]));
      await client.ask(configure, settings);
      await client.ask(complete, { prefix: 'a', maxTokens: 2 });
      // What the engine says of itself comes a little later.
      await client.until(() =>
        client.notifications.some(({ params }) => statusChanged.params.safeParse(params).data?.model === model),
      );
      const { engine, message } = await client.ask(getStatus, {});
      assert.deepEqual({ engine, message }, { engine: 'ready', message: '' });
      const nowhere = join(folder, 'nowhere');
      const soon = client.ask(configure, { ...settings, threads: 2 });
      await assert.rejects(client.ask(configure, { ...settings, model: nowhere }));
      await soon;
      await assert.rejects(client.ask(complete, { prefix: 'a' }), (error) => !failsWith('engine.noModel')(error));
    } finally {
      await client.stop();
    }
  });
});
