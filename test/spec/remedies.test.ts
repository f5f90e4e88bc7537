/** A remedy that names a key, a command or a setting names one that there is. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { z } from 'zod';
import { makeProgram } from '../../server/cli/program.ts';
import { Session } from '../../server/cli/session.ts';
import { type ColaError, knownErrorIds } from '../../server/errors.ts';
import { rewardNames } from '../../server/rewards/spec.ts';
import { unwrap } from '../../server/schemas/unwrap.ts';
import { searchOptionsSchema } from '../../server/search/options.ts';
import { runSpec } from '../../server/spec/schema.ts';
import { parts } from '../../src/contributions/index.ts';

const root = join(import.meta.dirname, '../..');

/** Every key and every word of a schema, however deep. */
function wordsOf(schema: z.ZodType, into = new Set<string>(), seen = new Set<z.ZodType>()): Set<string> {
  const inner = unwrap(schema);
  if (seen.has(inner)) return into;
  seen.add(inner);
  if (inner instanceof z.ZodObject) {
    for (const [key, value] of Object.entries(inner.shape)) {
      into.add(key);
      wordsOf(value as z.ZodType, into, seen);
    }
  } else if (inner instanceof z.ZodUnion) for (const each of inner.options) wordsOf(each as z.ZodType, into, seen);
  else if (inner instanceof z.ZodArray) wordsOf(inner.element as z.ZodType, into, seen);
  else if (inner instanceof z.ZodEnum) for (const word of inner.options) into.add(String(word));
  else if (inner instanceof z.ZodLiteral) for (const word of inner.values) into.add(String(word));
  else if (inner instanceof z.ZodPipe) wordsOf(inner.in as z.ZodType, into, seen);
  return into;
}

const specWords = new Set([...wordsOf(runSpec), ...rewardNames]);
const searchWords = wordsOf(searchOptionsSchema);
const silent = { write: () => true };
const program = makeProgram(
  new Session({ stdout: silent, stderr: silent, cwd: root, signal: new AbortController().signal }),
);
const commands = new Map(program.commands.map((command) => [command.name(), command]));
const optionsOf = (command: Command): string[] => [
  '--help',
  ...[command, ...command.commands].flatMap(({ options }) => options.map(({ long }) => long ?? '')),
];
const everyOption = new Set([...commands.values()].flatMap(optionsOf));
const titles = new Set(parts.flatMap((part) => Object.values(part.commands ?? {}).map(({ title }) => title)));
const settings = new Set(parts.flatMap((part) => Object.keys(part.settings ?? {})));
const scripts = new Set(Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts));

/** Words of others: keys of config.json, files of a model folder, an action of the editor, a program and its option, a reward's code. */
const foreign = new Set([
  'max_position_embeddings',
  'tie_word_embeddings',
  'base_model_name_or_path',
  'Workspaces: Manage Workspace Trust',
  'node',
  '--disable-wasm-trap-handler',
  // Of `hf download`.
  '--local-dir',
  'lock',
  'assistant',
  'response',
]);
/** Fields of a request to the local server. */
for (const field of ['decoding', 'pin', 'ban', 'latent_actions', 'max_tokens', 'n']) foreign.add(field);
/** Folders that a line of Python in a remedy makes. */
for (const folder of ['merged', 'new_folder']) foreign.add(folder);
const isFile = (word: string) => /\.(?:json|jsonl|yaml|safetensors|jinja|mjs|cjs|js|bin|pt|gguf)$/.test(word);

/** What of a remedy names nothing that exists. */
function strange(remedy: string): string[] {
  const wrong: string[] = [];
  for (const [, name, rest] of remedy.matchAll(/\bcola ([a-z]+)\b((?: (?:--?)?[\w.:=/-]+)*)/g)) {
    const command = commands.get(name!);
    if (command === undefined) wrong.push(`cola ${name}`);
    else
      for (const [option] of rest!.matchAll(/--[\w-]+/g)) if (!optionsOf(command).includes(option)) wrong.push(option);
  }
  for (const [option] of remedy.matchAll(/(?<![\w-])--[a-z][\w-]*/g))
    if (!everyOption.has(option) && !foreign.has(option)) wrong.push(option);
  for (const [, script] of remedy.matchAll(/\bnpm run ([\w:-]+)/g)) if (!scripts.has(script)) wrong.push(script!);
  for (const [, title] of remedy.matchAll(/"CoLA: ([^"]+)"/g)) if (!titles.has(title!)) wrong.push(title!);
  for (const [setting] of remedy.matchAll(/\bcola\.[a-z]\w*(?:\.\w+)*/g)) {
    if (!settings.has(setting) && !isFile(setting)) wrong.push(setting);
  }
  // Names of settings, in quotes or not; of what stands in quotes also plain words.
  const quoted = [...remedy.matchAll(/`([^`]+)`|"([^"]+)"/g)].map(([, a, b]) => (a ?? b)!);
  const plain = remedy.replace(/"CoLA: [^"]+"|\bcola\.\w+(?:\.\w+)*|(?<![\w-])--[a-z][\w-]*/g, ' ');
  const names = [...plain.matchAll(/[\w./*-]+/g)].map(([word]) => word.replace(/\.$/, ''));
  for (const word of names) {
    if (/^[a-z]+(?:_[a-z\d]+)+$|^[a-z]+[A-Z]\w*$/.test(word) && !known(word)) wrong.push(word);
  }
  for (const each of quoted) {
    if (/^(?:cola |npm |CoLA: |cola\.)/.test(each) || foreign.has(each)) continue;
    // Keys with their values, and words.
    const keys = /[:{]/.test(each) ? [...each.matchAll(/(\w+):/g)].map(([, key]) => key!) : [each];
    for (const key of keys) if (/^[a-z][\w]*$/.test(key) && !known(key)) wrong.push(key);
  }
  return wrong;
}
const known = (word: string) => specWords.has(word) || searchWords.has(word) || foreign.has(word) || isFile(word);

/** Something that can be printed, listed and cut, whatever an entry does with it. */
const anything = () =>
  Object.assign(['words'], { toFixed: () => '1', toLowerCase: () => 'words', toString: () => 'words' });

describe('the remedies of the catalogue', () => {
  const errors: ColaError[] = [];
  before(async () => {
    const files = ['server', 'src', 'scripts'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    );
    for (const file of files.filter((name) => /[/\\](?:[\w-]+-)?errors\.ts$/.test(name))) {
      if (file === join('server', 'errors.ts')) continue;
      const module: Record<string, unknown> = await import(pathToFileURL(join(root, file)).href);
      for (const entries of Object.values(module)) {
        if (typeof entries !== 'object' || entries === null) continue;
        for (const make of Object.values(entries)) {
          if (typeof make === 'function') errors.push(make(...Array.from({ length: 6 }, anything)));
        }
      }
    }
  });

  it('are all looked at', () => {
    const seen = new Set(errors.map(({ id }) => id));
    assert.deepEqual(
      knownErrorIds().filter((id) => !seen.has(id)),
      [],
    );
    assert(seen.size > 100);
  });

  it('name keys, commands, options and settings that there are', () => {
    const wrong = errors.flatMap(({ id, remedy }) => strange(remedy).map((word) => `${id}: ${word} in "${remedy}"`));
    assert.deepEqual(wrong, []);
  });

  it('would be found if they named others', () => {
    for (const [remedy, word] of [
      ['Correct the row, or set skipBadRows to leave such rows out.', 'skipBadRows'],
      ['Raise `line_limit`.', 'line_limit'],
      ['Raise "limit" in the run spec.', 'limit'],
      ['Write `rows: { skip: true }`.', 'rows'],
      ['Run `cola trian`.', 'cola trian'],
      ['Go on with: cola train --continue x', '--continue'],
      ['Use --sed 3.', '--sed'],
      ['Run "CoLA: Restart Engine".', 'Restart Engine'],
      ['Turn on "cola.feedback.on".', 'cola.feedback.on'],
      ['Run `npm run corpse`.', 'corpse'],
    ]) {
      assert.ok(strange(remedy!).includes(word!), remedy);
    }
  });
});
