import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const server = join(import.meta.dirname, '../../server');

/** Rooms whose files lie in `.cola`, or come with a folder that somebody else has made. */
const rooms = ['store', 'feedback', 'search', 'report', 'start', 'language', 'engine'];
/** What opens no file and follows no link to write. */
const harmless = new Set(['existsSync', 'lstatSync', 'rmSync', 'renameSync', 'linkSync', 'mkdtempSync']);
/** Uses of what is open already. */
const ofHandles = new Set(['closeSync', 'fstatSync', 'fsyncSync', 'ftruncateSync', 'readSync', 'writeSync']);
const known: Readonly<Record<string, readonly string[]>> = {
  // Looks whether there is something at a path, or in a model folder by its name, and opens nothing.
  'language/spec/paths.ts': ['readdir', 'stat'],
};

/** Names that a source takes from `fs`; `*` for all of it. */
function takenFrom(source: ts.SourceFile): string[] {
  const taken: string[] = [];
  const isFs = (node: ts.Node | undefined) =>
    node !== undefined && ts.isStringLiteralLike(node) && /^(node:)?fs(\/promises)?$/.test(node.text);
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && isFs(node.moduleSpecifier)) {
      const bindings = node.importClause?.namedBindings;
      if (bindings !== undefined && ts.isNamedImports(bindings))
        taken.push(...bindings.elements.map(({ name, propertyName }) => (propertyName ?? name).text));
      else taken.push('*');
    }
    if (ts.isExportDeclaration(node) && isFs(node.moduleSpecifier)) taken.push('*');
    if (ts.isCallExpression(node) && node.arguments.some(isFs)) taken.push('*');
    ts.forEachChild(node, visit);
  };
  visit(source);
  return taken;
}

const parse = (file: string, text: string) => ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true);

describe('the sources', () => {
  it('open files in server/files alone, wherever these may come from a stranger', () => {
    const found = rooms.flatMap((room) =>
      readdirSync(join(server, room), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .flatMap((name) => {
          const file = `${room}/${name}`;
          return takenFrom(parse(file, readFileSync(join(server, file), 'utf8')))
            .filter((taken) => !harmless.has(taken) && !ofHandles.has(taken) && !known[file]?.includes(taken))
            .map((taken) => `${file}: ${taken}`);
        }),
    );
    assert.deepEqual(found, []);
  });

  it('open what they read in one module alone: it may lie behind a link, or be a device, or a pipe that nobody writes to', () => {
    const openers = /^(?:\*|open|openSync|openAsBlob|readFile|readFileSync|createReadStream)$/;
    const own: Readonly<Record<string, readonly string[]>> = {
      'files/open.ts': ['open', 'openSync'],
      // Make the file that they write.
      'files/atomic.ts': ['open'],
      'data/token-cache.ts': ['open'],
      // Opens the null device.
      'files/limits.ts': ['openSync'],
      // What the system says of itself.
      'model/memory.ts': ['readFileSync'],
      'rewards/process/process-tree.ts': ['readFileSync'],
      // The product's own files.
      'cluster/program.ts': ['readFileSync'],
      // A pipe is what a person may name here; within bounds.
      'cli/prompt-file.ts': ['openSync'],
    };
    const found = readdirSync(server, { recursive: true, encoding: 'utf8' })
      .map((name) => name.replaceAll('\\', '/'))
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) =>
        takenFrom(parse(file, readFileSync(join(server, file), 'utf8')))
          .filter((taken) => openers.test(taken) && !own[file]?.includes(taken))
          .map((taken) => `${file}: ${taken}`),
      );
    assert.deepEqual(found, []);
  });

  it('are looked at for every way to get at files', () => {
    for (const [text, expected] of [
      ["import { readFileSync as read } from 'node:fs';", ['readFileSync']],
      ["import { open } from 'fs/promises';", ['open']],
      ["import * as fs from 'node:fs';", ['*']],
      ["import fs from 'fs';", ['*']],
      ["const { open } = await import('node:fs/promises');", ['*']],
      ["const fs = process.getBuiltinModule('node:fs');", ['*']],
      ["export { open } from 'node:fs';", ['*']],
      ["import { join } from 'node:path';", []],
    ] as const)
      assert.deepEqual(takenFrom(parse('a.ts', text)), expected);
  });
});
