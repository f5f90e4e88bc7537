import assert from 'node:assert/strict';
import { join } from 'node:path';
import { runInHost } from './support/host.ts';
import { wait } from './support/patience.ts';

interface Report {
  readonly model: { readonly name: string; readonly family: string; readonly maxInputTokens: number };
  readonly tokens: number;
  readonly pieces: string[];
  readonly again: string[];
  readonly cancelled: number;
  readonly refusal: string;
}

describe('models of CoLA Studio for other extensions of VS Code', () => {
  it('are found, answer as they write, are counted in tokens, and can be interrupted', async function () {
    this.timeout(wait(300));
    // The person is asked whether another extension may use a model.
    const report = (await runInHost(join(import.meta.dirname, 'host/chat.ts'), {}, 200, async (page) => {
      await page.getByRole('button', { name: 'Allow' }).click({ timeout: wait(150) });
    })) as Report;
    assert.equal(report.model.name, 'nano');
    assert.equal(report.model.family, 'llama');
    assert(report.model.maxInputTokens > 100);
    assert(report.tokens > 2 && report.tokens < 20, `${report.tokens}`);
    assert(report.pieces.length > 1, JSON.stringify(report.pieces));
    assert.equal(report.again.join(''), report.pieces.join(''));
    // How much came before the engine heard of it is a matter of speed; test/engine counts it.
    assert(report.cancelled >= 1);
    assert.match(report.refusal, /has no calls of tools/);
  });
});
