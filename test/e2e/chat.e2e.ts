import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './support/eventually.ts';
import { HostWindow } from './support/host.ts';
import { wait } from './support/patience.ts';

interface Report {
  readonly model: { readonly name: string; readonly family: string; readonly maxInputTokens: number };
  readonly tokens: number;
  readonly pieces: string[];
  readonly again: string[];
  readonly cancelled: number;
  readonly refusal: string;
}

describe('the chat of VS Code', () => {
  let window: HostWindow;
  before(async function () {
    this.timeout(wait(300));
    const settings = { 'chat.disableAIFeatures': false };
    window = await HostWindow.open(join(import.meta.dirname, 'host/chat.ts'), { settings });
  });
  afterEach(async function () {
    if (this.currentTest?.state !== 'passed') await window?.keepEvidence();
  });
  after(() => window?.close());

  it('has models for other extensions: they are found, answer as they write, are counted in tokens, and can be interrupted', async function () {
    this.timeout(wait(300));
    // The person is asked whether another extension may use a model.
    const allow = window.page.getByRole('button', { name: 'Allow' });
    // One who is not asked is told by what the script says.
    void allow.click({ timeout: wait(150) }).catch(() => undefined);
    const report = (await window.report(200)) as Report;
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

  // The thumbs of the chat are not driven: VS Code shows them where an extension brings the default participant, as Copilot does.
  it('has @cola, who answers with the actions behind it and with other beginnings, and what is said to them is feedback', async () => {
    const { page, session, workbench } = window;
    // Recording is a setting of the machine. The title shows when VS Code has it.
    session.writeMachineSettings({ 'cola.feedback.enabled': true, 'window.title': 'it records' });
    await page.waitForFunction(() => document.title.endsWith('it records'));
    await workbench.command('CoLA: Ask in Chat');
    const input = page.locator('.interactive-input-editor').last();
    await input.getByText('@cola').waitFor();
    await page.keyboard.type('Numbers: 03 09 12 Target: 24 Answer:');
    await page.keyboard.press('Enter');
    const answer = page.locator('.interactive-response').last();
    await answer.getByText('Other beginnings').waitFor();
    // Digits at the foot of every token.
    assert.match((await answer.textContent()) ?? '', /Actions.*[₀-₉]/s);
    await answer.getByRole('button', { name: 'Reject' }).click();
    await answer.getByText('Take', { exact: true }).first().click();
    await eventually('both are recorded, of a chat', () => {
      const log = readFileSync(join(session.folder, '.cola/feedback/log.jsonl'), 'utf8');
      assert.match(log, /"source":"chat"/);
      assert.match(log, /"what":"rejected"/);
      assert.match(log, /"what":"picked"/);
    });
  });
});
