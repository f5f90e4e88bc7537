/** However much is in a file: the spec is refused before it is parsed, or parsed soon. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import fc from 'fast-check';
import { parseSpec, readSpec, stringifySpec } from '../../server/spec/document.ts';
import { excess, specLimits } from '../../server/spec/limits.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';
import { hostile, large } from './hostile-texts.ts';

/** Of a very busy machine; alone it is a hundredth of it. */
const soon = 10_000;

function timed<T>(work: () => T): { value: T; took: number } {
  const from = performance.now();
  const value = work();
  return { value, took: performance.now() - from };
}

describe('the limits of a run spec', () => {
  const scratch = scratchFolder();

  for (const [name, text] of Object.entries(hostile)) {
    it(`refuse ${name} before it is parsed`, () => {
      // The aliases that multiply are few: how much they stand for is found out by the parser.
      if (name !== 'aliases that multiply') assert.ok(excess(text) !== undefined);
      const { value, took } = timed(() => parseSpec(text, 'a.cola.yaml'));
      assert.equal(value.spec, undefined);
      const [problem, ...others] = value.problems;
      assert.deepEqual(others, []);
      assert.match(problem!.message, /A run spec should|A tag should|alias/);
      const { start, end } = problem!;
      assert.ok(start.offset >= 0 && start.offset < end.offset && end.offset <= text.length);
      assert.ok(took < soon, `${took} ms`);
      const file = scratch('a.cola.yaml');
      writeFileSync(file, text);
      assert.throws(() => readSpec(file), errorOf(text.length > 400_000 ? 'spec.tooLong' : 'spec.invalid'));
    });
  }

  for (const [name, text] of Object.entries(large)) {
    it(`let ${name} through, which is read soon`, () => {
      assert.equal(excess(text), undefined);
      const { value, took } = timed(() => parseSpec(text, 'a.cola.yaml'));
      assert.ok(value.problems.length >= 1 && value.problems.length <= specLimits.problems);
      assert.ok(took < soon, `${took} ms`);
    });
  }

  it('count depth as it is', () => {
    const { depth } = specLimits;
    const deep = (levels: number) => [
      '['.repeat(levels),
      '{a: '.repeat(levels / 2),
      '- '.repeat(levels),
      Array.from({ length: levels }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
    ];
    for (const text of deep(depth + 2)) assert.match(excess(text)?.message ?? '', /nested at most/, text.slice(0, 20));
    for (const text of deep(depth / 2 - 2)) assert.equal(excess(text), undefined, text.slice(0, 20));
    // Side by side, in quotes, in comments and in texts nothing is nested.
    for (const text of [
      '- []\n'.repeat(200),
      'a: [{b: 1}]\n'.repeat(200),
      `[${'{a: 1}, '.repeat(200)}]`,
      `a: "${'['.repeat(500)}"`,
      `# ${'[ - '.repeat(500)}\n`,
      `a: |\n${Array.from({ length: 200 }, (_, i) => `${' '.repeat(i + 1)}- [`).join('\n')}`,
      Array.from({ length: 300 }, (_, i) => `a${i}:\n  b: 1`).join('\n'),
    ]) {
      assert.equal(excess(text), undefined, text.slice(0, 20));
    }
  });

  it('hold for a spec with everything in it', () => {
    const sum = (depth: number): string =>
      depth === 0
        ? 'exact'
        : `{ sum: [{ reward: ${sum(depth - 1)}, weight: 0.5 }, { reward: { length: { max: 9 } } }] }`;
    const stages = Array.from({ length: 5 }, () => `  - reinforce: { prompts: countdown, reward: ${sum(7)} }`).join(
      '\n',
    );
    const files = Array.from({ length: 300 }, (_, i) => `      - folder/of/texts/file-${i}.txt`).join('\n');
    const text = `model: m\nstages:\n  - control:\n      data: { text: [a, b] }\n  - pretrain:\n     data:\n      text:\n${files}\n${stages}\n`;
    const { spec, problems } = parseSpec(text, 'a');
    assert.deepEqual(problems, []);
    const written = parseSpec(stringifySpec(spec!), 'a');
    assert.deepEqual(written.spec, spec);
  });

  it('hold for the spec that a run keeps, with all defaults and aliases written out', () => {
    const many = `${'x, '.repeat(100)}x`;
    const text = `model: m\nstages:\n  - clone: &c { data: { text: [${many}] } }\n${'  - clone: *c\n'.repeat(24)}`;
    assert.match(parseSpec(text, 'a').problems[0]!.message, /written out/);
    assert.equal(parseSpec(text.replaceAll('  - clone: *c\n', ''), 'a').problems.length, 0);
  });

  it('do not refuse what is small, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 25 }), (text) => {
        assert.equal(excess(text), undefined);
      }),
    );
  });

  it('refuse a device that never ends', () => {
    if (process.platform === 'win32') return;
    assert.throws(() => readSpec('/dev/zero'), errorOf('files.kind', /device/));
  });
});
