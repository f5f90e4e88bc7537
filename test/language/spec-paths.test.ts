/** What a run spec names outside of itself: underlined where it is not there, a link where it is; whatever the spec is called. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CodeActionKind, type CodeLens, type Diagnostic, type DocumentLink } from 'vscode-languageserver/node';
import { diagnoseMissing } from '../../server/language/spec/diagnostics.ts';
import { links } from '../../server/language/spec/links.ts';
import { namedIn } from '../../server/language/spec/paths.ts';
import { fileOf, isSpec, specName } from '../../server/language/spec/uri.ts';
import { Run, runFolder } from '../../server/store/run.ts';
import { runNameOf } from '../../server/store/run-name.ts';
import { scratchFolder } from '../store/scratch.ts';
import { SpecClient } from './spec-client.ts';

const text = `model: models/a
device: cpu
stages:
  - control: { data: rows.jsonl, held_out: { text: [b.txt, ../c.txt] } }
  - guide:
      data: { jsonl: rows.jsonl, columns: { text: data } }
  - reinforce:
      prompts: countdown
      held_out: { workspace: src, globs: ['*.md'] }
      reward: { sum: [{ reward: { module: { path: reward.mjs } } }, { reward: { exact: { column: path } } }] }
  - tokens: { prompts: { task: arithmetic }, reward: exact }
  - feedback: { data: feedback }
  - feedback: { data: log.jsonl }
`;

/** The text of a range on one line. */
const under = (within: string, { start, end }: Diagnostic['range']) =>
  within.split('\n')[start.line]!.slice(start.character, end.character);

describe('what a run spec names', () => {
  const scratch = scratchFolder();

  it('are models, data, rewards and devices, wherever they stand', () => {
    assert.deepEqual(
      namedIn(text).map(({ kind, text: path }) => `${kind} ${path}`),
      [
        'model models/a',
        'device cpu',
        'data rows.jsonl',
        'data b.txt',
        'data ../c.txt',
        'data rows.jsonl',
        'data src',
        'module reward.mjs',
        'feedback log.jsonl',
      ],
    );
    assert.deepEqual(
      namedIn('model: { tokenizer: t, hidden: 8 }\nstages: []').map(({ kind }) => kind),
      ['tokenizer'],
    );
    const rewards =
      'stages:\n  - q: { reward: { sum: [{ reward: { model: a } }, { reward: { model: { path: b } } }] } }\n';
    assert.deepEqual(
      namedIn(rewards).map(({ kind, text: path }) => `${kind} ${path}`),
      ['model a', 'model b'],
    );
    const mcp = '{ command: [path, folder], folder: a, prompts: b.jsonl, held_out: c.csv, reward: { model: d } }';
    assert.deepEqual(
      namedIn(`stages:\n  - reinforce: { environment: { mcp: ${mcp} } }\n`).map(
        ({ kind, text: path }) => `${kind} ${path}`,
      ),
      ['data b.jsonl', 'data c.csv', 'model d'],
    );
    assert.deepEqual(namedIn('model: [\n- {:'), []);
  });

  it('is underlined where it is not there, with the sentence and the remedy of the error', async () => {
    mkdirSync(scratch('specs/src'), { recursive: true });
    writeFileSync(scratch('specs/rows.jsonl'), '');
    const found = await diagnoseMissing(text, scratch('specs/a.cola.yaml'));
    assert.deepEqual(
      found.map(({ range, code }) => `${under(text, range)} ${code}`),
      [
        'models/a config.noModel',
        'b.txt data.missingFile',
        '../c.txt data.missingFile',
        'reward.mjs reward.moduleMissing',
        'log.jsonl data.missingFile',
      ],
    );
    assert.ok(String(found[1]!.message).startsWith(`There is no ${scratch('specs/b.txt')}. Check the path`));
    mkdirSync(scratch('specs/models/a'), { recursive: true });
    writeFileSync(scratch('specs/models/a/config.json'), '{}');
    writeFileSync(scratch('c.txt'), '');
    const [first, second] = await diagnoseMissing(text, scratch('specs/a.cola.yaml'));
    assert.deepEqual([under(text, first!.range), under(text, second!.range)], ['b.txt', 'reward.mjs']);
  });

  it('is a built-in model that there is, or underlined', async () => {
    const at = (model: string) => diagnoseMissing(`model: ${model}\nstages: []`, scratch('a.cola.yaml'));
    assert.deepEqual(await at('builtin:nano'), []);
    assert.deepEqual(
      (await at('builtin:giant')).map(({ code }) => code),
      ['spec.unknownBuiltin'],
    );
    // A folder, but none with a model in it.
    assert.deepEqual(
      (await at('.')).map(({ code }) => code),
      ['config.cannotRead'],
    );
  });

  it('may be a GGUF file, or a folder that holds one', async () => {
    mkdirSync(scratch('folder'));
    writeFileSync(scratch('m.gguf'), '');
    writeFileSync(scratch('folder/a.GGUF'), '');
    for (const [path, target] of [
      ['m.gguf', 'm.gguf'],
      ['folder', 'folder/a.GGUF'],
    ]) {
      const spec = `model: ${path}\n`;
      assert.deepEqual(await diagnoseMissing(spec, scratch('a.cola.yaml')), []);
      const [link] = await links(spec, pathToFileURL(scratch('a.cola.yaml')).href);
      assert.equal(link!.target, pathToFileURL(scratch(target!)).href);
    }
    const [missing] = await diagnoseMissing('model: none.gguf\n', scratch('a.cola.yaml'));
    assert.equal(missing?.code, 'config.noModel');
  });

  it('may be a device that this machine cannot have', async () => {
    const elsewhere = process.platform === 'win32' ? 'coreml' : 'dml';
    const [found, ...others] = await diagnoseMissing(`device: ${elsewhere}\n`, scratch('a.cola.yaml'));
    assert.equal(found!.code, 'device.unavailable');
    assert.match(String(found!.message), /cannot be used on this machine: .* Choose another device/);
    assert.deepEqual(others, []);
    assert.deepEqual(await diagnoseMissing('device: auto\n', scratch('a.cola.yaml')), []);
  });

  it('is not asked for on the network', async () => {
    const paths =
      'stages:\n  - control: { data: //server/share/a.txt }\n  - clone: { data: "\\\\\\\\server\\\\a.txt" }\n  - clone: { data: "/\\\\server\\\\a.txt" }\n';
    assert.equal(namedIn(paths).length, 3);
    assert.deepEqual(await diagnoseMissing(paths, scratch('a.cola.yaml')), []);
  });

  it('is a link where it is a file, of a model its configuration', async () => {
    mkdirSync(scratch('specs/models/a'), { recursive: true });
    mkdirSync(scratch('specs/src'), { recursive: true });
    writeFileSync(scratch('specs/models/a/cola.json'), '{}');
    writeFileSync(scratch('specs/rows.jsonl'), '');
    const uri = pathToFileURL(scratch('specs/a.cola.yaml')).href;
    const rows = pathToFileURL(scratch('specs/rows.jsonl')).href;
    assert.deepEqual(
      (await links(text, uri)).map(({ range, target }) => [under(text, range), target]),
      [
        ['models/a', pathToFileURL(scratch('specs/models/a/cola.json')).href],
        ['rows.jsonl', rows],
        ['rows.jsonl', rows],
      ],
    );
    assert.deepEqual(await links(text, 'untitled:a.cola.yaml'), []);
  });
});

describe('a run spec of any name', function () {
  this.timeout(60_000);
  const scratch = scratchFolder();
  const names = [
    'a b.cola.yaml',
    'ünïcode-数学.cola.yaml',
    '100%.cola.yaml',
    '%41%zz.cola.yaml',
    'a#b.cola.yaml',
    'a+b&c=d.cola.yml',
    '-dash.cola.yaml',
    "it's.cola.yaml",
    '.cola.yaml',
    'UPPER.COLA.YAML',
    ...(process.platform === 'win32' ? [] : ['a?b.cola.yaml', 'a"b\\c.cola.yaml', 'a:b*<c>|.cola.yaml']),
  ];

  it('gets everything in the editor', async () => {
    const client = await SpecClient.start();
    try {
      for (const name of names) {
        const file = scratch(name);
        const uri = pathToFileURL(file).href;
        assert.ok(isSpec(uri) && fileOf(uri) === file && specName(uri) === basename(file), name);
        writeFileSync(scratch('rows.jsonl'), '');
        await client.open(uri, 'model: builtin:nano\nstages:\n  - clone: { data: rows.jsonl, bach: 2 }\n');
        const [diagnostic] = await client.underlined(uri);
        assert.match(String(diagnostic!.message), /"bach" here \(did you mean "batch"/, name);
        const context = { diagnostics: [diagnostic], only: [CodeActionKind.QuickFix] };
        const { answer: fixes } = await client.ask('textDocument/codeAction', uri, {
          range: diagnostic!.range,
          context,
        });
        const [fix] = fixes as { edit: { changes: Record<string, unknown[]> } }[];
        assert.deepEqual(Object.keys(fix!.edit.changes), [uri], name);
        const { answer: linked } = await client.ask('textDocument/documentLink', uri);
        const [, link] = linked as DocumentLink[];
        assert.equal(link!.target, pathToFileURL(scratch('rows.jsonl')).href, name);
      }
      const other = pathToFileURL(scratch('cola.yaml')).href;
      await client.open(other, 'model: x\n');
      assert.deepEqual((await client.ask('textDocument/codeLens', other)).answer, []);
    } finally {
      assert.equal(await client.stop(), 0);
    }
  });

  it('has lenses that give its own address to the commands', async () => {
    const client = await SpecClient.start();
    try {
      for (const name of names) {
        const uri = pathToFileURL(scratch(name)).href;
        await client.open(uri, 'model: builtin:nano\nstages:\n  - clone: { data: rows.jsonl }\n');
        const { answer } = await client.ask('textDocument/codeLens', uri);
        const run = (answer as CodeLens[]).find(({ command }) => command?.title.includes('Run') === true);
        assert.deepEqual(run?.command?.arguments, [uri], name);
        const stage = (answer as CodeLens[]).at(-1);
        const { command } = (await client.ask('codeLens/resolve', uri, stage)).answer as CodeLens;
        assert.deepEqual([command?.title, command?.arguments], ['$(play) Run only clone', [uri, 0]], name);
      }
    } finally {
      assert.equal(await client.stop(), 0);
    }
  });

  it('gives a run a name that a run can have, and another one to another spec', async () => {
    assert.equal(runNameOf('x/countdown.cola.yaml'), 'countdown');
    assert.equal(runNameOf('a b.cola.yml'), 'a-b');
    assert.equal(runNameOf('über uns.yaml'), 'uber-uns');
    assert.equal(runNameOf('noext'), 'noext');
    assert.match(runNameOf('数学.cola.yaml'), /^run-u[0-9a-f]{6}$/);
    assert.match(runNameOf('a#b.cola.yaml'), /^a-b-u[0-9a-f]{6}$/);
    assert.notEqual(runNameOf('数学.cola.yaml'), runNameOf('物理.cola.yaml'));
    for (const name of [...names, 'nul.yaml', 'x'.repeat(200), '...yaml', '数学.yaml', '-', 'con.cola.yaml', '___']) {
      const run = await Run.create(scratch('project'), runNameOf(name), 'model: x\n');
      run.close();
      assert.equal(run.path, runFolder(scratch('project'), runNameOf(name)), name);
    }
  });
});
