import assert from 'node:assert/strict';
import { taskRows } from '../../scripts/corpus/tasks.ts';

describe('generated problems of the corpus', () => {
  const few = { train: 300, heldout: 100 };
  const rows = taskRows({ 'countdown-compact': few, countdown: few, arithmetic: few });
  const turns = (text: string) => /^<\|user\|>\n(.+)<\|end\|>\n<\|assistant\|>\n(.+)<\|end\|>\n$/s.exec(text) ?? [];

  it('are conversations of one question and one right answer', () => {
    assert.equal(rows.train.length, 900);
    for (const { path, text, kind } of [...rows.train, ...rows.heldout]) {
      const [, question, answer] = turns(text);
      assert.equal(kind, 'chat');
      assert.ok(question && answer, text);
      if (!path.includes('arithmetic')) continue;
      assert.match(question, /^[\d +*-]+=$/);
      assert.equal(String(Function(`return ${question.slice(0, -1)}`)()), answer);
    }
  });

  it('of compact countdown use the numbers given and reach the target', () => {
    for (const { text } of rows.train.filter(({ path }) => path.includes('countdown-compact'))) {
      const [, question, answer] = turns(text);
      const [, numbers, target] = /^Numbers: ([\d ]+) Target: (\d+) Answer:$/.exec(question) ?? [];
      const [expression, printed] = answer.split('=');
      assert.equal(printed, target);
      assert.deepEqual(expression.match(/\d+/g)?.sort(), numbers.split(' ').sort());
      assert.equal(String(Function(`return ${expression.replace(/\b0+(?=\d)/g, '')}`)()), target);
    }
  });

  it('share no problem between training and evaluation', () => {
    const key = (text: string): string => {
      const question = turns(text)[1] ?? '';
      // Countdown is the same problem in whatever order its numbers are named.
      return question.endsWith('=')
        ? question
        : (question.match(/\d+/g) ?? [])
            .map(Number)
            .sort((a, b) => a - b)
            .join();
    };
    for (const task of ['countdown-compact', 'arithmetic']) {
      const of = (split: 'train' | 'heldout') =>
        rows[split].filter(({ path }) => path.startsWith(`generated/${task}/`));
      const trained = new Set(of('train').map(({ text }) => key(text)));
      assert.ok(of('heldout').every(({ text }) => !trained.has(key(text))));
    }
  });
});
