/** Right content in the wrong form: what is said names the form, and a quick fix writes it. */
import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataErrors } from '../../server/data/errors.ts';
import { diagnose, diagnoseMissing, fixes } from '../../server/language/spec/diagnostics.ts';
import { parseSpec } from '../../server/spec/document.ts';

/** The text after the quick fix of a problem, and what its title says. */
function fixed(text: string, [diagnostic] = diagnose(text, 'a')): { right: string; title: string } {
  assert.ok(diagnostic !== undefined, text);
  const [fix] = fixes('file:///a', [diagnostic]);
  assert.ok(fix !== undefined, diagnostic.message.toString());
  const [{ range, newText }] = fix.edit!.changes!['file:///a']!;
  const lines = text.split('\n');
  const offset = ({ line, character }: typeof range.start) =>
    lines.slice(0, line).reduce((sum, each) => sum + each.length + 1, 0) + character;
  return { right: text.slice(0, offset(range.start)) + newText + text.slice(offset(range.end)), title: fix.title };
}

const messages = (text: string) => parseSpec(text, 'a').problems.map(({ message }) => message);
const clone = (data: string) => `model: m\nstages:\n  - clone: { data: ${data} }\n`;
const reinforce = (more: string) => `model: m\nstages:\n  - reinforce: { prompts: a, ${more} }\n`;
const reward = (text: string) => reinforce(`reward: ${text}`);

/** Checks that a fix gives the form that was meant, and that it is right. */
function becomes(whole: (text: string) => string, pairs: readonly (readonly [given: string, meant: string])[]): void {
  for (const [given, meant] of pairs) {
    assert.equal(fixed(whole(given)).right, whole(meant), given);
    assert.deepEqual(messages(whole(meant)), [], meant);
  }
}

describe('forms in a run spec', () => {
  it('of data become the folder and patterns, the list or the file that was meant', () => {
    becomes(clone, [
      ['{ workspace: "**/*.ts" }', '{ workspace: ., globs: ["**/*.ts"] }'],
      ['{ workspace: ["**/*.ts", "**/*.md"] }', '{ workspace: ., globs: ["**/*.ts", "**/*.md"] }'],
      ['{ workspace: src, globs: "**/*.ts" }', '{ workspace: src, globs: ["**/*.ts"] }'],
      ['{ workspace: src }', '{ workspace: src, globs: ["**/*"] }'],
      ['{ workspace: true }', '{ workspace: ., globs: ["**/*"] }'],
      ['{ workspace: { globs: "**/*.ts" } }', '{ workspace: ., globs: ["**/*.ts"] }'],
      ['{ workspace: { root: src, include: ["*.ts"] } }', '{ workspace: src, globs: ["*.ts"] }'],
      ['{ workspace: "**/*.ts", strict: true }', '{ workspace: ., globs: ["**/*.ts"], strict: true }'],
      ['{ globs: "**/*.ts" }', '{ workspace: ., globs: ["**/*.ts"] }'],
      ['{ globs: ["*.ts"] }', '{ workspace: ., globs: ["*.ts"] }'],
      ['{ files: "**/*.ts" }', '{ workspace: ., globs: ["**/*.ts"] }'],
      ['{ workspace: "../notes/**/*.md" }', '{ workspace: ../notes, globs: ["**/*.md"] }'],
      ['["**/*.ts", "**/*.md"]', '{ workspace: ., globs: ["**/*.ts", "**/*.md"] }'],
      ['[a.jsonl]', 'a.jsonl'],
      ['[a.txt, b.txt]', '{ text: [a.txt, b.txt] }'],
      ['{ text: a.jsonl }', 'a.jsonl'],
      ['{ jsonl: [a.jsonl], skip_bad_rows: true }', '{ jsonl: a.jsonl, skip_bad_rows: true }'],
    ]);
    assert.deepEqual(messages(clone('{ workspace: "**/*.ts" }')), [
      '"data" takes another form than settings (key: value): write { workspace: ., globs: ["**/*.ts"] }',
    ]);
    // Rows of several files are not joined, and nothing is guessed.
    assert.equal(parseSpec(clone('[a.jsonl, b.jsonl]'), 'a').problems[0].suggestion, undefined);
    assert.match(messages(clone('{}'))[0], /^"data" is empty; there are jsonl, text, workspace, task, environment$/);
    const block = 'model: m\nstages:\n  - clone:\n      data:\n        workspace: "**/*.ts"\n      batch: 2\n';
    assert.deepEqual(messages(fixed(block).right), []);
  });

  it('of rewards become a name with its settings, or a sum', () => {
    becomes(reward, [
      ['{ numeric: answer }', '{ numeric: { column: answer } }'],
      ['{ exact: [] }', '{ exact: {} }'],
      ['[numeric]', 'numeric'],
      ['{ name: numeric, column: answer }', '{ numeric: { column: answer } }'],
      ['{ type: length, max: 12 }', '{ length: { max: 12 } }'],
      ['{ length: { max: "12" } }', '{ length: { max: 12 } }'],
      ['{ exact: { column: [answer] } }', '{ exact: { column: answer } }'],
      ['{ sum: { exact: 1, maths: 0.5 } }', '{ sum: [{ reward: exact, weight: 1 }, { reward: maths, weight: 0.5 }] }'],
      ['{ sum: [{ numeric: {}, weight: 2 }] }', '{ sum: [{ reward: { numeric: {} }, weight: 2 }] }'],
      ['{ numeric: {}, weight: 2 }', '{ sum: [{ reward: { numeric: {} }, weight: 2 }] }'],
      [
        '{ numeric: {}, length: { max: 3 } }',
        '{ sum: [{ reward: { numeric: {} } }, { reward: { length: { max: 3 } } }] }',
      ],
      ['[{ reward: numeric, weight: 1 }]', '{ sum: [{ reward: numeric, weight: 1 }] }'],
    ]);
  });

  it('of numbers, choices and truth become what they say', () => {
    becomes(
      (text) => reinforce(`reward: exact, ${text}`),
      [
        ['steps: "5"', 'steps: 5'],
        ['steps: 5k', 'steps: 5000'],
        ['steps: [5]', 'steps: 5'],
        ['steps: { max: 5 }', 'steps: 5'],
        ['learning_rate: "1e-4"', 'learning_rate: 0.0001'],
        ['chat: yes', 'chat: true'],
        ['chat: [off]', 'chat: false'],
        ['algorithm: [grpo]', 'algorithm: grpo'],
        ['held_out: [a.jsonl]', 'held_out: a.jsonl'],
      ],
    );
    assert.match(
      messages(reinforce('reward: exact, steps: "5"'))[0],
      /^"steps" should be a number and is "5": write 5$/,
    );
    assert.equal(fixed(reinforce('reward: exact, steps: "5"')).title, 'Change to 5');
    assert.deepEqual(messages(reinforce('reward: exact, steps: five')), [
      '"steps" should be a number and is "five": write 5',
    ]);
  });

  it('of the spec as a whole become lists and settings', () => {
    const whole = (text: string) => `${text}\n`;
    becomes(whole, [
      ['model: [m]\nstages: [{ clone: { data: a } }]', 'model: m\nstages: [{ clone: { data: a } }]'],
      ['model: m\nstages: { clone: { data: a } }', 'model: m\nstages: [{ clone: { data: a } }]'],
      ['model: m\nstages: [{ clone: [data: a] }]', 'model: m\nstages: [{ clone: { data: a } }]'],
      ['model: m\nstages: [{ name: clone, data: a }]', 'model: m\nstages: [{ clone: { data: a } }]'],
      ['model: m\nstages:\n  - clone:\n    data: a', 'model: m\nstages:\n  - { clone: { data: a } }'],
      [
        'model: m\nbase: int8\nstages: [{ clone: { data: a } }]',
        'model: m\nbase: { precision: int8 }\nstages: [{ clone: { data: a } }]',
      ],
      [
        'model: m\nevaluate: accuracy, codebook\nstages: [{ clone: { data: a } }]',
        'model: m\nevaluate: [accuracy, codebook]\nstages: [{ clone: { data: a } }]',
      ],
      [
        'model: m\nevaluate: { accuracy: true, codebook: false }\nstages: [{ clone: { data: a } }]',
        'model: m\nevaluate: [accuracy]\nstages: [{ clone: { data: a } }]',
      ],
    ]);
    assert.match(
      messages('clone: { data: a }\n')[0],
      /"clone" is a stage, which stands in the list of them: stages: \[/,
    );
  });
});

describe('data that is not there', () => {
  const cause = Object.assign(new Error('gone'), { code: 'ENOENT' });
  const remedy = (path: string) => dataErrors.missingFile(path, cause).remedy;

  it('has a remedy for what it was meant as', () => {
    assert.match(remedy('/a/**/*.md'), /written as \{ workspace: \/a, globs: \["\*\*\/\*\.md"\] \}/);
    assert.match(remedy('/a/https:/b.org/c.jsonl'), /Nothing is read from a network: download it first/);
    assert.match(remedy('/a/file:/b.jsonl'), /without file:\/\//);
    assert.match(remedy('/a/~/b.jsonl'), /Write it from its beginning/);
    assert.match(remedy('/a/*.jsonl'), /Rows are read from one file: .*cat \*\.jsonl > all\.jsonl/);
    assert.match(remedy('/a/$HOME/b.jsonl'), /Variables are not filled in/);
    assert.match(remedy(join(import.meta.dirname, 'Forms.tests.ts')), /There is "forms\.test\.ts" in that folder/);
    assert.match(dataErrors.noFiles('/a', ['../b/*']).remedy, /They count from that folder/);
    assert.match(parseSpec(clone('[a.jsonl, b.jsonl]'), 'a').problems[0].message, /one file: .*cat/);
    assert.match(remedy('/a/coundown'), /The task is called countdown/);
    assert.match(remedy('/a/openai/gsm8k'), /has to be downloaded first/);
    assert.equal(
      remedy('/a/b.jsonl'),
      'Check the path; in a run spec it counts from its folder, in a command from where you are.',
    );
  });

  it('is put right in the editor where it is a pattern or a misspelt task', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'forms-'));
    const file = join(folder, 'a.cola.yaml');
    for (const [given, meant] of [
      ['"**/*.md"', '{ workspace: ., globs: ["**/*.md"] }'],
      ['coundown', 'countdown'],
    ]) {
      const text = clone(given).replace('model: m', 'model: builtin:nano');
      writeFileSync(file, text);
      assert.equal(fixed(text, await diagnoseMissing(text, file)).right, text.replace(given, meant));
    }
  });
});
