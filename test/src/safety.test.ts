import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import ts from 'typescript';
import { modeMarkdown } from '../../src/completion/words.ts';
import { commandLink, escaped, markdownTable } from '../../src/markdown.ts';
import { evaluationReport } from '../../src/runs/evaluate-report.ts';
import { actionsArguments, serveArguments } from '../../src/runs/task-arguments.ts';
import { fitReport } from '../../src/train/fit-report.ts';

/** What means something to Markdown or HTML, or makes a link by itself. */
const marks = /[<>[\]()!`*_\\|]|:\/\/|\$\(/;
const names = [
  '![](https://host.example/x)',
  '[x](command:cola.stopRun)',
  '<img src=https://host.example/x>',
  '$(sync~spin) `code`',
  'www.host.example https://host.example a@host.example',
  '**bold** | cell\n# head',
  'a`![](https:/host.example/x)`',
];

describe('names that a stranger has given', () => {
  it('are text where a label stands in the tooltip of the mode', () => {
    for (const name of names) {
      const [before, after] = ['Latent actions: **', '**. Click to pick one.'];
      const markdown = modeMarkdown({ mode: 'pinned', action: 3 }, () => ({ label: name, text: name }));
      assert.ok(markdown.startsWith(before) && markdown.endsWith(after));
      assert.doesNotMatch(markdown.slice(before.length, -after.length), marks, name);
    }
  });

  it('are text in reports', () => {
    const plain = (markdown: string) =>
      assert.doesNotMatch(markdown.replaceAll(/\*\*fits\*\*|\[\]|`\w+`|[()|]/g, ''), /[<>[\]!`*\\]|:\/\//);
    for (const name of names) {
      const fit = { parts: [{ what: name, bytes: 1 }], free: 2, fits: true, source: name };
      plain(fitReport(name, fit));
      plain(markdownTable([[name], [name]]));
      plain(
        evaluationReport(name, {
          model: name,
          against: name,
          device: name,
          decoding: 'actions',
          rows: [{ measure: 'cost', name, value: name }],
          skipped: [{ measure: 'cost', reason: name }],
          json: {},
        }),
      );
    }
  });

  it('stay what they are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const back = escaped(name).replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
        assert.equal(back, name);
        assert.doesNotMatch(escaped(name), marks);
      }),
    );
  });

  it('end no link to a command', () => {
    for (const root of ["/a) [x](command:evil) '!*", '/a%29', '/ä b']) {
      const link = commandLink('Stop', 'cola.stopRun', { root, run: 'r' });
      const [, query = ''] = /^\[Stop\]\(command:cola\.stopRun\?([^()\s[\]]*)\)$/.exec(link) ?? assert.fail(link);
      assert.deepEqual(JSON.parse(decodeURIComponent(query)), [{ root, run: 'r' }]);
    }
  });

  it('are one argument of a process, and no command of a shell', () => {
    for (const name of ['x"; touch pwned; "', '$(touch pwned)', '`touch pwned`', 'a\ntouch pwned\n', '--help', '-x'])
      assert.deepEqual(actionsArguments('cola.js', name, name), ['cola.js', 'actions', '--text', name, '--', name]);
    assert.deepEqual(actionsArguments('cola.js', 'm', undefined), ['cola.js', 'actions', '--', 'm']);
    assert.deepEqual(serveArguments('cola.js', '--port=1'), ['cola.js', 'serve', '--model=--port=1']);
  });
});

describe('the extension', () => {
  const folder = join(import.meta.dirname, '../../src');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const found = (wanted: (node: ts.Node) => boolean): string[] =>
    names.filter((name) => {
      const text = readFileSync(join(folder, name), 'utf8');
      const has = (node: ts.Node): boolean => wanted(node) || (ts.forEachChild(node, (child) => has(child)) ?? false);
      return has(ts.createSourceFile(name, text, ts.ScriptTarget.ESNext, true));
    });

  it('types into no terminal, and starts nothing through a shell', () => {
    const ways = new Set(['sendText', 'createTerminal', 'ShellExecution', 'exec', 'execSync', 'node:child_process']);
    const isWay = (node: ts.Node) =>
      (ts.isStringLiteralLike(node) && ways.has(node.text)) ||
      ((ts.isCallExpression(node) || ts.isNewExpression(node)) &&
        ways.has(node.expression.getText().split('.').at(-1) ?? '') &&
        !/^\/.*\/\w*\.exec$/s.test(node.expression.getText()));
    assert.deepEqual(found(isWay), []);
  });

  it('trusts no Markdown with every command', () => {
    const trusts = (node: ts.Node) =>
      ts.isBinaryExpression(node) && /\bisTrusted$/.test(node.left.getText()) && node.right.getText() === 'true';
    assert.deepEqual(found(trusts), []);
  });
});
