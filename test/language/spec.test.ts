import assert from 'node:assert/strict';
import fc from 'fast-check';
import { completions } from '../../server/language/spec/completion.ts';
import { diagnose, fixes } from '../../server/language/spec/diagnostics.ts';
import { specMarkdown } from '../../server/language/spec/docs.ts';
import { fitTitle, stageTitle } from '../../server/language/spec/features.ts';
import { hover } from '../../server/language/spec/hover.ts';
import { lenses, symbols } from '../../server/language/spec/outline.ts';
import { describeSetting, keysAt } from '../../server/language/spec/schema.ts';
import { parseSpec } from '../../server/spec/document.ts';
import { stages } from '../../server/spec/stages.ts';
import { atCursor } from './cursor.ts';

const spec = `model: builtin:nano
device: auto
stages:
  - control: { data: corpus.jsonl, tokens: 2e6 }
  - reinforce:
      prompts: countdown
      reward: countdown
      steps: 40
evaluate: [pass@k, cost]
`;

const labels = (marked: string) => completions(...atCursor(marked)).map(({ label }) => label);

/** The text with the first completion of that name taken. */
function taken(marked: string, label: string): string {
  const [text, position] = atCursor(marked);
  const item = completions(text, position).find((found) => found.label === label);
  assert.ok(item?.textEdit !== undefined && 'range' in item.textEdit, `${label} is offered`);
  const { range, newText } = item.textEdit;
  const lines = text.split('\n');
  const offsetOf = ({ line, character }: { line: number; character: number }) =>
    lines.slice(0, line).reduce((sum, each) => sum + each.length + 1, 0) + character;
  return text.slice(0, offsetOf(range.start)) + newText + text.slice(offsetOf(range.end));
}

describe('diagnostics of run specs', () => {
  it('finds nothing wrong with a good one', () => {
    assert.deepEqual(diagnose(spec, 'a.cola.yaml'), []);
  });

  it('underlines exactly the word that is wrong, and offers what was meant', () => {
    const wrong = spec.replace('      steps: 40', '      stepz: 40').replace('device: auto', 'device: gpu');
    const found = diagnose(wrong, 'a.cola.yaml');
    assert.deepEqual(
      found.map(({ range }) => [range.start, range.end]),
      [
        [
          { line: 1, character: 8 },
          { line: 1, character: 11 },
        ],
        [
          { line: 7, character: 6 },
          { line: 7, character: 11 },
        ],
      ],
    );
    const [fix] = fixes('file:///a', found).filter(({ title }) => title === 'Change to "steps"');
    assert.deepEqual(fix.edit?.changes?.['file:///a'], [{ range: found[1].range, newText: 'steps' }]);
    assert.deepEqual(fixes('file:///a', [{ ...found[1], source: 'other' }]), []);
  });
});

describe('completion in run specs', () => {
  it('offers the keys that are not there yet, what is needed first', () => {
    assert.deepEqual(labels('|'), [
      'model',
      'base',
      'device',
      'threads',
      'cluster',
      'seed',
      'stages',
      'evaluate',
      'log',
    ]);
    assert.deepEqual(labels('model: a\n|\nstages: []\n'), [
      'base',
      'device',
      'threads',
      'cluster',
      'seed',
      'evaluate',
      'log',
    ]);
    const inside = completions(...atCursor('stages:\n  - reinforce: { prompts: countdown, | }'));
    assert.ok(!inside.some(({ label }) => label === 'prompts'));
    const first = [...inside].sort((a, b) => (a.sortText ?? '').localeCompare(b.sortText ?? ''))[0];
    assert.equal(first.label, 'reward');
    assert.equal(first.detail, 'a reward (needed)');
  });

  it('works in blocks, in braces, in an empty mapping and before a colon', () => {
    const all = Object.keys(stages.clone.settings.shape);
    assert.deepEqual(labels('stages:\n  - clone:\n      |'), all);
    assert.deepEqual(labels('stages:\n  - clone: { | }'), all);
    assert.deepEqual(
      labels('stages:\n  - clone:\n      data: x\n      st|\n  - control: {}\n'),
      all.filter((name) => name !== 'data'),
    );
    assert.equal(taken('stages:\n  - clone: { st|: 3 }', 'steps'), 'stages:\n  - clone: { steps: 3 }');
    assert.equal(taken('stages:\n  - clone:\n      st|', 'steps'), 'stages:\n  - clone:\n      steps: ');
  });

  it('offers the stages, with what they need', () => {
    assert.deepEqual(labels('stages:\n  - |'), Object.keys(stages));
    assert.equal(taken('stages:\n  - re|\n', 'reinforce'), 'stages:\n  - reinforce: { prompts: $1, reward: $2$0 }\n');
    assert.deepEqual(labels('stages:\n  - clone: {}\n    |'), []);
  });

  it('offers devices, tasks, rewards, measures, and words of a setting', () => {
    assert.deepEqual(labels('model: builtin:n|'), ['builtin:nano']);
    assert.equal(taken('model: builtin:n|', 'builtin:nano'), 'model: builtin:nano');
    assert.deepEqual(labels('device: w|\n'), ['auto', 'webgpu', 'cuda', 'dml', 'coreml', 'cpu']);
    assert.deepEqual(labels('base: { | }\n'), ['precision', 'model']);
    assert.deepEqual(labels('stages:\n  - guide: { lora: { | } }\n'), ['rank', 'alpha', 'targets']);
    assert.ok(labels('stages:\n  - tokens: { lora: { targets: [q_proj, | ] } }').includes('down_proj'));
    assert.deepEqual(labels('base: { precision: i| }\n'), ['auto', 'f32', 'f16', 'int8', 'int4']);
    assert.deepEqual(labels('stages:\n  - q: { prompts: |'), ['countdown', 'arithmetic']);
    assert.deepEqual(labels('stages:\n  - reinforce: { algorithm: g|, steps: 3 }'), ['grpo', 'remax', 'ppo']);
    assert.deepEqual(labels('stages:\n  - tokens:\n      whiten: |\n      steps: 3\n'), ['true', 'false']);
    assert.ok(labels('evaluate: [accuracy, |]').includes('pass@k'));
    assert.ok(labels('stages:\n  - reinforce: { reward: | }').includes('countdown'));
    assert.ok(labels('stages:\n  - reinforce: { reward: { | } }').includes('length'));
    const task = labels('stages:\n  - clone: { data: { task: countdown, | } }');
    assert.ok(task.includes('targets') && !task.includes('jsonl'), task.join());
  });

  it('offers only what the spec then takes: each word of a setting leaves one problem less, or none', () => {
    const words = completions(...atCursor('stages:\n  - guide: { data: x.jsonl, variant: | }'));
    for (const { label } of words) {
      const text = `model: m\nstages:\n  - guide: { data: x.jsonl, variant: ${label} }\n`;
      assert.deepEqual(parseSpec(text, 'x').problems, []);
    }
    assert.equal(words.length, 2);
  });
});

describe('hover in run specs', () => {
  const at = (marked: string) => {
    const found = hover(...atCursor(marked));
    return found === undefined || typeof found.contents !== 'object' || !('value' in found.contents)
      ? undefined
      : found.contents.value;
  };

  it('says what a setting means, its unit, its default and the paper', () => {
    assert.equal(
      at('stages:\n  - control: { co|des: 64 }\n'),
      '**codes**: Number of latent actions N.\n\nTakes: integer  \nDefault: `64`  \nPaper: 64 (section 4.1)',
    );
    assert.equal(at('stages:\n  - control: { codes: 6|4 }\n'), at('stages:\n  - control: { |codes: 64 }\n'));
    assert.match(at('stages:\n  - clone: { len|gth: 64 }\n') ?? '', /in tokens/);
    assert.equal(at('stages:\n  - control|: {}\n'), `**control**: ${stages.control.notes}`);
    assert.match(at('evaluate: [co|st]') ?? '', /measured at the end/);
    assert.equal(at('nothing: |1'), undefined);
    assert.equal(at('# a com|ment\nmodel: a'), undefined);
  });

  it('has something to say about every setting', () => {
    for (const name of Object.keys(stages)) {
      for (const { name: key, schema } of keysAt(['stages', 0, name])) {
        const text = describeSetting(key, schema);
        assert.match(text, new RegExp(`^\\*\\*${key}\\*\\*: .{5}`), `${name}.${key}`);
      }
    }
  });
});

describe('the outline of run specs', () => {
  it('has every setting and stage, each inside the other', () => {
    const tree = symbols(spec).map(({ name, children = [] }) => [name, children.map((child) => child.name)]);
    assert.deepEqual(tree, [
      ['model', []],
      ['device', []],
      ['stages', ['control', 'reinforce']],
      ['evaluate', []],
    ]);
    const [, , stages] = symbols(spec);
    assert.deepEqual(
      stages.children?.[1].children?.map(({ name, detail }) => `${name} ${detail}`),
      ['prompts countdown', 'reward countdown', 'steps 40'],
    );
    assert.deepEqual(stages.children?.[1].selectionRange, {
      start: { line: 4, character: 4 },
      end: { line: 4, character: 13 },
    });
  });

  it('can be run from the margin, if it has no problems', () => {
    const found = lenses(spec, 'file:///a').map(({ range, command }) => [range.start.line, command?.title]);
    assert.deepEqual(found, [
      [0, '$(play) Run'],
      [0, undefined],
      [0, '$(book) Docs'],
      [3, undefined],
      [4, undefined],
    ]);
    assert.deepEqual(lenses(spec.replace('steps', 'stepz'), 'file:///a'), []);
  });

  it('says whether it fits in GB', () => {
    const parts = [
      { what: 'loading', bytes: 1e9 },
      { what: 'reinforce', bytes: 2.14e9 },
    ];
    assert.equal(fitTitle({ parts, free: 6e9, fits: true, source: '' }), 'Fits (2.1 of 6.0 GB)');
    assert.equal(fitTitle({ parts, free: 2e9, fits: false, source: '' }), '$(warning) Does not fit (2.1 of 2.0 GB)');
    assert.equal(fitTitle({ parts, free: null, fits: null, source: '' }), 'Takes 2.1 GB');
  });

  it('says how long each stage takes on this machine, where that is known of this very stage', () => {
    const stages = [
      { name: 'control', low: 20, high: 80 },
      { name: 'reinforce', low: 180, high: 540 },
    ];
    const time = { low: 200, high: 620, stages, source: 'runs' as const };
    assert.equal(stageTitle('control', 0, time), '$(play) Run only control, 20 to 80 s');
    assert.equal(stageTitle('reinforce', 1, time), '$(play) Run only reinforce, 3 to 9 min');
    assert.equal(stageTitle('reinforce', 0, time), '$(play) Run only reinforce');
    assert.equal(stageTitle('reinforce', 2, time), '$(play) Run only reinforce');
    assert.equal(stageTitle('reinforce', 1, null), '$(play) Run only reinforce');
  });
});

describe('the docs of run specs', () => {
  it('explain every stage and setting that hover explains', () => {
    const text = specMarkdown();
    for (const name of Object.keys(stages)) assert.ok(text.includes(`## Stage \`${name}\``), name);
    assert.match(text, /\*\*group\*\*: .*\n\nTakes: integer/);
    assert.match(text, /\*\*model\*\*/);
    assert.match(text, /\*\*lora\.rank\*\*: .*\n\nTakes: integer {2}\nDefault: `16`/);
    assert.match(text, /\*\*base\.precision\*\*: .*\n\nTakes: auto \| f32 \| f16 \| int8 \| int4/);
  });
});

describe('half-written run specs', () => {
  it('get answers everywhere, whatever is missing', () => {
    const cut = fc.record({ from: fc.nat(spec.length), to: fc.nat(spec.length), at: fc.nat(spec.length) });
    const typed = fc.constantFrom('', '{', '[', ': ', '- ', '"', '&a ', '*a', '|\n', '\t', '!!x ', '\u0000');
    fc.assert(
      fc.property(cut, typed, ({ from, to, at }, extra) => {
        const text = spec.slice(0, Math.min(from, to)) + extra + spec.slice(Math.max(from, to));
        const before = text.slice(0, at).split('\n');
        const position = { line: before.length - 1, character: before[before.length - 1].length };
        const all = text.split('\n');
        for (const { range } of diagnose(text, 'x')) {
          for (const { line, character } of [range.start, range.end]) {
            assert.ok(line < all.length && character <= all[line].length + 1);
          }
        }
        completions(text, position);
        hover(text, position);
        symbols(text);
        lenses(text, 'file:///x');
      }),
      { numRuns: process.env.COLA_SLOW === undefined ? 75 : 5000 },
    );
  });
});
