import assert from 'node:assert/strict';
import { codeRows } from '../../webview/tree/code-rows.ts';

const code = (action: number, token: number, probability: number, child: number | null = null, share = 0) => ({
  action,
  label: null,
  probability,
  token,
  text: `t${token}`,
  q: null,
  child,
  share,
});

describe('the list of codes at a node', () => {
  const codes = [code(4, 1, 0.4), code(2, 7, 0.3), code(9, 1, 0.2, 5, 0.6), code(3, 7, 0.06), code(1, 8, 0.04)];

  it('has one row for each next token, with all that belongs to it', () => {
    const rows = codeRows(codes, new Set());
    assert.deepEqual(
      rows.map(({ code, others }) => [code.action, ...others.map(({ action }) => action)]),
      // A code that was tried speaks for its row: its child is where the row leads.
      [[9, 4], [2, 3], [1]],
    );
    assert.deepEqual(
      rows.map(({ probability }) => Math.round(100 * probability)),
      [60, 36, 4],
    );
    assert.equal(rows[0].share, 0.6);
  });

  it('has one for each code of a token that is unfolded', () => {
    const rows = codeRows(codes, new Set([7]));
    assert.deepEqual(
      rows.map(({ code, others }) => [code.action, others.length]),
      [
        [9, 1],
        [2, 0],
        [3, 0],
        [1, 0],
      ],
    );
  });
});
