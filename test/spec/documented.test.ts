/** What the documents and the help of commands show can be typed as it stands: specs are read, commands have such options. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeProgram } from '../../server/cli/program.ts';
import { Session } from '../../server/cli/session.ts';
import { parseSpec } from '../../server/spec/document.ts';

const root = join(import.meta.dirname, '../..');
const documents = [
  'README.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
  'docs/gallery/README.md',
]
  .filter((name) => name.endsWith('.md'))
  .map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }));

/** A piece of a spec as a whole one. */
function whole(piece: string): string {
  const least = /^ */.exec(piece)?.[0].length ?? 0;
  const text = piece.replaceAll(new RegExp(`^ {${least}}`, 'gm'), '');
  const top = (key: string) => new RegExp(`^${key}:`, 'm').test(text);
  if (text.startsWith('- ')) return `model: m\nstages:\n${text.replaceAll(/^/gm, '  ')}`;
  if (top('prompts') || top('reward')) {
    const others = `${top('prompts') ? '' : 'prompts: p.jsonl\n'}${top('reward') ? '' : 'reward: exact\n'}`;
    return `model: m\nstages:\n  - reinforce:\n${`${others}${text}`.replaceAll(/^/gm, '      ')}`;
  }
  return `${top('model') ? '' : 'model: m\n'}${text}${top('stages') ? '' : '\nstages: [{ clone: { data: a.txt } }]\n'}`;
}

const silent = { write: () => true };
const session = () => new Session({ stdout: silent, stderr: silent, cwd: root, signal: new AbortController().signal });

/** Refuses arguments that a command does not take; nothing is done. */
function parses(line: string): void {
  const args = [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain,
  );
  let command = makeProgram(session());
  for (;;) {
    const found = command.commands.find((each) => each.name() === args[0]);
    if (found === undefined) break;
    args.shift();
    command = found;
  }
  const { operands, unknown } = command.parseOptions(args);
  assert.deepEqual(unknown, [], line);
  const takes = command.registeredArguments;
  assert.ok(takes.length > 0 || command.parent !== null, `${line}: no such command`);
  assert.ok(operands.length >= takes.filter((each) => each.required).length, `${line}: too little`);
  assert.ok(operands.length <= takes.length || takes.at(-1)?.variadic === true, `${line}: too much`);
  const lacks = command.options.filter(
    (option) => option.mandatory && command.getOptionValue(option.attributeName()) === undefined,
  );
  assert.deepEqual(
    lacks.map((option) => option.long),
    [],
    line,
  );
}

describe('what the documents show', () => {
  const pieces = documents.flatMap(({ name, text }) =>
    [...text.matchAll(/```ya?ml\n(.*?)```/gs)].map(([, piece]) => ({ name, piece })),
  );
  it('are run specs, whole or in pieces', () => {
    assert.ok(pieces.length > 10);
    for (const { name, piece } of pieces) {
      // That of another program.
      if (piece.includes('apiVersion:')) continue;
      const { problems } = parseSpec(whole(piece), name);
      assert.deepEqual(
        problems.map(({ message }) => message),
        [],
        `${name}:\n${whole(piece)}`,
      );
    }
  });

  it('are commands with options that there are', () => {
    const lines = documents.flatMap(({ name, text }) =>
      [...text.matchAll(/^ *(?:npm run -s cola --|cola|npx cola) (.+?)(?: +#.*)?$/gm)].map(([, line]) => ({
        name,
        line,
      })),
    );
    assert.ok(lines.length > 8, `${lines.length} commands`);
    for (const { name, line } of lines)
      assert.doesNotThrow(() => parses(line.split(/ [|>] | && /)[0]), `${name}: ${line}`);
  });

  it('name options that there are, within a sentence', () => {
    const named = documents.flatMap(({ name, text }) =>
      [...text.matchAll(/`cola ([a-z]+ [^`\n]*--[^`\n]*)`/g)].map(([, line]) => ({ name, line })),
    );
    assert.ok(named.length > 15, `${named.length} commands`);
    const program = makeProgram(session());
    for (const { name, line } of named) {
      const [first, second] = line.split(' ');
      const outer = program.commands.find((each) => each.name() === first);
      const command = outer?.commands.find((each) => each.name() === second) ?? outer;
      for (const [option] of line.matchAll(/(?<= )--[a-z-]+/g)) {
        const known = option === '--help' || command?.options.some(({ long }) => long === option) === true;
        assert.ok(known, `${name}: ${line}`);
      }
    }
  });

  it('are the examples of every command', () => {
    const program = makeProgram(session());
    const all = program.commands.flatMap((command) => [command, ...command.commands]);
    let shown = 0;
    for (const command of all) {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) });
      command.outputHelp();
      for (const [, line] of help.matchAll(/^ {2}\$ cola (.+)$/gm)) {
        shown++;
        parses(line);
      }
    }
    assert.ok(shown > 40, `${shown} examples`);
  });
});
