import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './support/eventually.ts';
import { vscode } from './support/session.ts';
import { end } from './support/workbench.ts';

const text = `export function sum(values: number[]): number {
  let total = 0;
  for (const value of values) {
    `;

interface Line {
  readonly kind: string;
  readonly what?: string;
  readonly reason?: string;
  readonly at: number;
}

/** What is offered is short, as it is recorded in the same way. */
const short = { 'cola.completion.alternatives': 2, 'cola.completion.maxTokens': 6 };

describe('feedback in VS Code', () => {
  const session = vscode({ kept: true, settings: short });
  let files = 0;

  const log = () => join(session.folder, '.cola/feedback/log.jsonl');
  const lines = (): Line[] =>
    existsSync(log())
      ? readFileSync(log(), 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line))
      : [];
  const counted = (kind: string, what?: string) =>
    lines().filter((line) => line.kind === kind && (what === undefined || line.what === what)).length;
  const status = () => session.workbench.statusItem('cola.status');

  /** Shows ghost text in a file of its own, the cursor behind `typed`. */
  async function offer(typed: string): Promise<void> {
    const { workbench, page } = session;
    files++;
    const file = `sum-${files}.ts`;
    session.write(file, text);
    await workbench.openFile(file, end);
    await page.keyboard.type(typed);
    await workbench.ghostText.first().waitFor();
    await workbench.statusItem('cola.completion').filter({ hasText: '◆' }).waitFor();
  }

  async function take(typed: string): Promise<void> {
    await offer(typed);
    await session.workbench.take();
  }

  async function putAway(typed: string): Promise<void> {
    await offer(typed);
    await session.page.keyboard.press('Escape');
    await session.workbench.ghostText.first().waitFor({ state: 'detached' });
  }

  /** What a command says in the end. */
  async function said(command: string, words: RegExp): Promise<string> {
    await session.workbench.command('Notifications: Clear All Notifications');
    await session.workbench.command(command);
    const notification = session.workbench.notification(words);
    await notification.waitFor();
    return (await notification.innerText()).replaceAll(/\s+/g, ' ');
  }

  it('leaves no file while it is off, which it is by default', async () => {
    await take('total');
    await putAway('return');
    await session.workbench.command('File: Save All');
    assert.deepEqual(
      readdirSync(session.folder).filter((name) => name.startsWith('.cola')),
      [],
    );
  });

  it('records what is shown, accepted and put away once it is on, and nothing of before', async () => {
    const switched = Date.now();
    session.writeMachineSettings({ ...short, 'cola.feedback.enabled': true });
    await eventually('something is recorded', async () => {
      await take('total');
      assert.ok(counted('event', 'accepted') > 0);
    });
    await putAway('return');
    await eventually('it is recorded as put away', () => {
      assert.ok(lines().some(({ what, reason }) => what === 'rejected' && reason === 'escape'));
    });
    assert.ok(counted('event', 'shown') > 1);
    assert.ok(lines().every(({ at }) => at >= switched));
  });

  it('records what is taken in a cell of a notebook, under the cells above it', async () => {
    const { workbench, page } = session;
    const cell = (source: string) => ({ cell_type: 'code', execution_count: null, metadata: {}, outputs: [], source });
    const metadata = { language_info: { name: 'typescript' } };
    const cells = [cell('const greatest = 1;'), cell('for (const value of ')];
    session.write('sum.ipynb', JSON.stringify({ cells, metadata, nbformat: 4, nbformat_minor: 5 }));
    const before = counted('event', 'accepted');
    await workbench.openNotebook('sum.ipynb');
    await page.keyboard.type('v');
    await workbench.ghostText.first().waitFor();
    await session.look('notebook');
    await workbench.statusItem('cola.completion').filter({ hasText: '◆' }).waitFor();
    await page.keyboard.press('Tab');
    await eventually('it is recorded', () => assert.equal(counted('event', 'accepted'), before + 1));
    const moment = lines().findLast(({ kind }) => kind === 'moment');
    assert.match(JSON.stringify(moment), /const greatest = 1;/);
  });

  it('says why a suggestion was made: its action, and what was done with that before', async () => {
    await offer('total');
    const words = await said('CoLA: Why This Suggestion', /begins with latent action/);
    assert.match(words, /latent action \d+.* \d+ % likely\. .*With you: shown .* accepted (once|\d+ times)/);
    assert.match(words, /Policy original\./);
    await session.page.keyboard.press('Escape');
  });

  it('tunes the policy from it, puts no version in use that nothing could judge, and says which one is', async () => {
    for (const typed of ['value', 'if', 'const']) await take(typed);
    for (const typed of ['let', 'total']) await putAway(typed);
    const words = await said('CoLA: Tune From Feedback Now', /Policy v0001 is|was not kept/);
    assert.match(words, /Policy v0001 is there, but not in use\. Too little was held back/);
    const version = join(session.folder, '.cola/versions/v0001');
    assert.deepEqual(readdirSync(version).sort(), ['policy.safetensors', 'version.json']);
    await session.workbench.command('CoLA: Policy Versions…');
    const row = session.workbench.pick('v0001');
    await row.waitFor();
    assert.doesNotMatch(await row.innerText(), /acceptance/);
    await row.click();
    await session.workbench.hover(status(), /Policy:\sv0001/);
  });

  it('says which version prefers a suggestion', async () => {
    await offer('total');
    const words = await said('CoLA: Why This Suggestion', /begins with latent action/);
    assert.match(words, /Policy v0001.* Of 2 versions .* prefers this suggestion: .*\d %/);
    await session.page.keyboard.press('Escape');
  });

  it('goes back to the policy of the model', async () => {
    const { workbench, page } = session;
    await workbench.command('CoLA: Policy Versions…');
    await workbench.pick('v0001').waitFor();
    await workbench.pick(/^\s*original/).click();
    await eventually('the original is in use', async () => {
      await page.mouse.move(5, 5);
      await status().hover();
      const hover = page.locator('.monaco-hover:visible').filter({ hasText: 'CoLA Studio' }).first();
      await hover.waitFor({ timeout: 3000 });
      assert.ok(!(await hover.innerText()).includes('v0001'));
    });
    const current = JSON.parse(readFileSync(join(session.folder, '.cola/versions/current.json'), 'utf8'));
    assert.equal(current.version, 'original');
  });

  it('is deleted when one asks for it, and only then', async () => {
    const { workbench } = session;
    await workbench.command('CoLA: Clear Feedback…');
    await workbench.dialog.getByRole('button', { name: 'Cancel' }).click();
    assert.ok(counted('moment') > 5);
    await workbench.command('CoLA: Clear Feedback…');
    await workbench.dialog.getByRole('button', { name: 'Delete' }).click();
    await eventually('nothing of it is left', () => assert.equal(lines().length, 0));
  });
});
