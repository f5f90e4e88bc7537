import assert from 'node:assert/strict';
import { cutsIn, firstStatement } from '../../scripts/model/parse-rate.ts';

const text = `export function add(a: number, b: number): number {
  const sum = a + b;
  return sum;
}

const list = [(x: number) => x, (y: number) => {
  y++;
  if (y > 1) {
    y--;
  }
  return y;
}];
`;

describe('the parse rate', () => {
  const cuts = cutsIn('a.ts', text);
  const of = (ending: string) => cuts.find(({ at }) => text.slice(0, at).endsWith(ending))!;

  it('cuts functions behind every statement of their body but the last', () => {
    assert.deepEqual(
      cuts.map(({ at }) => text.slice(0, at).trimEnd().split('\n').at(-1)?.trim()),
      ['const sum = a + b;', 'y++;', '}'],
    );
    assert.deepEqual(cutsIn('broken.ts', 'function f() { let = ; return 1; }'), []);
  });

  it('counts one statement, closed by what stood behind the body', () => {
    const cut = of('a + b;');
    assert.deepEqual(firstStatement(cut, '\n  return sum * 2;\n  const oth'), {
      statement: '\n  return sum * 2;',
      parsed: true,
    });
    assert.deepEqual(firstStatement(cut, '\n  if (sum) {\n    return 1;\n  }\n  retu'), {
      statement: '\n  if (sum) {\n    return 1;\n  }',
      parsed: true,
    });
    assert.equal(firstStatement(of('y++;'), ' list.push((z) => z + 1);')?.parsed, true);
  });

  it('does not count what is broken, unfinished or no statement', () => {
    const cut = of('a + b;');
    assert.equal(firstStatement(cut, '\n  return sum +;\n')?.parsed, false);
    assert.equal(firstStatement(cut, '\n  call(a, [b, ')?.parsed, false);
    assert.equal(firstStatement(cut, '\n  if (sum) {\n    return 1;\n')?.parsed, false);
    assert.notEqual(firstStatement(cut, "\n  const text = 'abc")?.parsed, true);
    assert.equal(firstStatement(cut, '\n}\n\nexport const x = 1;'), undefined);
    assert.equal(firstStatement(cut, '\n  ;;'), undefined);
    assert.equal(firstStatement(cut, ''), undefined);
  });
});
