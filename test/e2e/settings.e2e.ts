import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from './support/eventually.ts';
import { wait } from './support/patience.ts';
import { processesOf } from './support/processes.ts';
import { vscode } from './support/session.ts';

const start = `export function sum(values: number[]): number {
  let total = 0;
  for (const value of values) {
    `;
const end = `
  }
  return total;
}
`;

interface Line {
  readonly kind: string;
  readonly what?: string;
  /** The end of what the model read. */
  readonly before: string;
  readonly alternatives: readonly { readonly tokens: readonly number[] }[];
}

/** Every setting has a test whose title begins with its name, here or in `reload.e2e.ts`: `test/src/manifest.test.ts` sees that none is left out. */
describe('settings in VS Code', () => {
  const session = vscode({ kept: true });
  const recording = { 'cola.feedback.enabled': true };
  const slow = process.env.COLA_SLOW === '1';
  /** In the slow form alone: most of it is waiting, or shown elsewhere with the value that is set from the beginning. */
  const seldom = (title: string, test: () => Promise<void>) => {
    if (slow) it(title, test);
  };
  let files = 0;
  let changes = 0;
  let ofMachine = false;

  const status = () => session.workbench.statusItem('cola.status');
  const completion = () => session.workbench.statusItem('cola.completion');
  const ghost = () => session.workbench.ghostText.filter({ visible: true });
  // The session that other tests share may have one too.
  const engines = () => processesOf(join(session.extension, 'dist/engine.js'), session.server.pid);

  /** A short answer is there sooner: what is offered is looked at where these are what is tried. */
  const short = { 'cola.completion.alternatives': 2, 'cola.completion.maxTokens': 6 };
  const asInstalled = { 'cola.completion.alternatives': undefined, 'cola.completion.maxTokens': undefined };

  /**
   * Makes these the settings of the folder, or of the person on this machine, with {@link short} and no others, and waits until VS
   * Code has them. A folder has no say in some.
   */
  async function set(folder: object, machine?: object): Promise<void> {
    if (machine === undefined && ofMachine) await set({}, {});
    ofMachine = machine !== undefined && Object.keys(machine).length > 0;
    changes++;
    // The folder's title is the one that shows, if it has one. Extensions are told before whatever one does after it shows.
    const title = { 'window.title': `settings ${changes}` };
    const ofFolder = { ...(machine === undefined && title), ...short, ...folder };
    session.write('.vscode/settings.json', JSON.stringify(ofFolder));
    if (machine !== undefined) session.writeMachineSettings({ ...title, ...machine });
    await session.page.waitForFunction((wanted) => document.title.endsWith(wanted), title['window.title']);
  }

  /** What the status bar says to the pointer, which goes when there is something new to say. */
  const hovered = () =>
    eventually('the hover can be read', async () => {
      const shown = await session.workbench.hover(status(), 'Device:');
      return shown.innerText({ timeout: wait(2) });
    });

  /** Opens a file of its own, with the cursor behind `before`. */
  async function open(before = start, after = '', extension = 'ts'): Promise<string> {
    files++;
    const file = `file-${files}.${extension}`;
    session.write(file, before + after);
    const lines = before.split('\n');
    await session.workbench.openFile(file, { line: lines.length, column: (lines.at(-1) ?? '').length + 1 });
    return file;
  }

  /** Types, and waits for what follows in grey. */
  async function offered(typed = 't'): Promise<string> {
    await session.page.keyboard.type(typed);
    await ghost().first().waitFor();
    await completion().filter({ hasText: '◆' }).waitFor();
    return session.workbench.inGrey();
  }

  /** Something is typed, shown and accepted, in a file of its own. */
  async function accept(extension = 'ts'): Promise<void> {
    await open(start, '', extension);
    await offered();
    await session.workbench.take();
  }

  function log(root = session.folder): Line[] {
    const file = join(root, '.cola/feedback/log.jsonl');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  }
  const judgements = () =>
    log().filter(({ kind, what }) => kind === 'event' && what !== 'shown' && what !== 'survived').length;
  const accepted = (lines = log()) => lines.filter(({ what }) => what === 'accepted').length;
  const versions = (): string[] => {
    const folder = join(session.folder, '.cola/versions');
    return existsSync(folder) ? readdirSync(folder).filter((name) => /^v\d/.test(name)) : [];
  };

  /** What is offered for `start`, as it is in the log. */
  async function moment(after = ''): Promise<Line & { readonly ghost: string }> {
    const moments = () => log().filter(({ kind }) => kind === 'moment');
    await open(start, after);
    // What was on the screen before is recorded by now.
    const known = moments().length;
    const ghost = await offered();
    return eventually('it is recorded', () => {
      const [latest] = moments().slice(known);
      assert.ok(latest !== undefined);
      return { ...latest, ghost };
    });
  }

  // VS Code is slow to see that there are such settings, and quick to see them change.
  before(() => session.write('.vscode/settings.json', JSON.stringify(short)));

  it('cola.feedback.enabled: what one does is recorded from then on', async () => {
    await accept();
    assert.equal(existsSync(join(session.folder, '.cola')), false);
    await set(recording);
    await accept();
    assert.equal(existsSync(join(session.folder, '.cola')), false, 'a folder does not turn it on');
    await set({}, recording);
    await accept();
    await eventually('it is recorded', () => assert.equal(accepted(), 1));
    await set({}, {});
    await session.workbench.command('CoLA: Show Feedback');
    const turnOn = session.workbench.pick(/Record what I do/);
    await turnOn.click();
    await turnOn.waitFor({ state: 'detached' });
    ofMachine = true;
    await session.page.keyboard.press('Escape');
    await accept();
    await eventually('it is recorded, as one asked for in the list', () => assert.equal(accepted(), 2));
  });

  it('cola.completion.languages: there is no completion where it is off', async () => {
    /** Long after it would be there. */
    const nothing = async () => {
      await delay(1000);
      assert.equal(await ghost().count(), 0);
      assert.equal(await completion().filter({ hasText: '◆' }).count(), 0);
    };
    await set({ 'cola.completion.languages': { plaintext: false } });
    await open();
    await session.page.keyboard.type('t');
    await nothing();
    await open('def total(values):\n    result = 0\n    for value in values:\n        ', '', 'py');
    const [next] = await offered('r');
    await set({ 'cola.completion.languages': { '*': false, plaintext: true } });
    await session.page.keyboard.type(next);
    await ghost().first().waitFor({ state: 'detached' });
    await nothing();
    await open();
    await offered();
  });

  seldom('cola.completion.alternatives: there are no more to step through', async () => {
    const steps = async (text: RegExp) => {
      await open();
      await offered();
      await session.page.keyboard.press('Alt+]');
      await completion().filter({ hasText: text }).waitFor();
    };
    await set(asInstalled);
    await steps(/· 2\/[4-8]$/);
    await set({ 'cola.completion.alternatives': 3 });
    await steps(/· 2\/3$/);
    await set({ 'cola.completion.alternatives': 3, '[plaintext]': { 'cola.completion.alternatives': 2 } });
    await steps(/· 2\/2$/);
  });

  it('cola.completion.maxTokens: what is offered ends there', async () => {
    await set(asInstalled, recording);
    const long = await moment();
    assert.ok(long.alternatives[0].tokens.length > 3);
    await set(asInstalled, { ...recording, 'cola.completion.maxTokens': 3 });
    const short = await moment();
    assert.equal(short.alternatives[0].tokens.length, 3);
    assert.ok(short.ghost.length < long.ghost.length && long.ghost.startsWith(short.ghost), short.ghost);
  });

  seldom('cola.completion.multiline: what is offered goes on behind the line', async () => {
    const before = 'export function sum(values: number[]): number {\n  let total = 0;\n  for (const value of values) {';
    const after = '\n\nexport const total = sum([1, 2, 3]);\n';
    const there = `${before}${after}`.split('\n').length;
    /** Lines that there are after the one that was typed. */
    const lines = async () => {
      const file = await open(before, after);
      await offered('\n');
      await session.workbench.take();
      return eventually('it is in the file', async () => {
        await session.page.keyboard.press('Control+S');
        const now = readFileSync(join(session.folder, file), 'utf8').split('\n');
        assert.ok(now.length > there);
        return now.length - there;
      });
    };
    await set(asInstalled);
    assert.equal(await lines(), 1);
    await set({ ...asInstalled, 'cola.completion.multiline': true });
    assert.ok((await lines()) > 1);
  });

  // The model in the box is said to be worse for text behind the cursor; this copy is not.
  const filling = { 'cola.model': 'models/filling' };

  it('cola.model: it is the one that completes', async () => {
    const copy = join(session.folder, 'models/filling');
    cpSync(join(session.extension, 'assets/nano'), copy, { recursive: true });
    const { fill_in: _, ...json } = JSON.parse(readFileSync(join(copy, 'cola.json'), 'utf8'));
    writeFileSync(join(copy, 'cola.json'), JSON.stringify(json));
    await set(filling, recording);
    await status()
      .filter({ hasText: /filling · \w+/ })
      .waitFor();
    await accept();
  });

  it('cola.completion.fillInTheMiddle: the model reads what stands behind the cursor', async () => {
    await set(filling, recording);
    assert.match((await moment(end)).before, /return total/);
    await set(filling, { ...recording, 'cola.completion.fillInTheMiddle': false });
    assert.doesNotMatch((await moment(end)).before, /return total/);
    await set({}, {});
    await status()
      .filter({ hasText: /nano · \w+/ })
      .waitFor();
  });

  seldom('cola.completion.debounce: the model is asked after so long without a key', async () => {
    // Far longer than a model takes to answer, also on a machine that does other things too.
    const milliseconds = 6000;
    const waited = async () => {
      await open();
      const typed = performance.now();
      await offered();
      return performance.now() - typed;
    };
    await set({ 'cola.completion.debounce': milliseconds });
    assert.ok((await waited()) >= milliseconds);
    await set({});
    assert.ok((await waited()) < milliseconds);
  });

  seldom('cola.completion.actionStrip: accepted text shows its actions', async () => {
    const marks = () => session.page.locator('.view-overlays [class*="ced-"]');
    await set({});
    await accept();
    assert.equal(await marks().count(), 0);
    await set({ 'cola.completion.actionStrip': true });
    await marks().first().waitFor();
    await set({});
    await marks().first().waitFor({ state: 'detached' });
  });

  it('cola.completion.otherFiles: what stands in them has a say', async () => {
    // Of letters that no word begins with.
    const line = 'vqxHarbour = berthLedger.assign(vesselId);';
    session.write('ports.ts', `const ${line}\n`);
    const offeredFor = async () => {
      await open(`export function dock(vesselId) {\n  const ${line.slice(0, 13)}`);
      return offered(line.slice(13, 14));
    };
    await set({ 'cola.completion.otherFiles': false, 'cola.completion.maxTokens': 24 });
    assert.doesNotMatch(await offeredFor(), /^erthLedger/);
    await set({ 'cola.completion.maxTokens': 24 });
    // They are read meanwhile.
    await eventually('it is as in the other file', async () => assert.equal(await offeredFor(), line.slice(14)));
    await session.look('other-files');
  });

  it('cola.feedback.exclude: files that it names are not recorded', async () => {
    await set({}, { ...recording, 'cola.feedback.exclude': ['**/file-*.ts'] });
    const known = accepted();
    await accept();
    await accept('txt');
    await eventually('another is', () => assert.equal(accepted(), known + 1));
  });

  /** Accepts one more, and waits longer than the pause after which the policy is tuned. @returns versions by then */
  async function acceptAndPause(changes: object): Promise<number> {
    await set({}, { ...recording, ...changes });
    const known = judgements();
    await accept();
    await eventually('it is recorded', () => assert.ok(judgements() > known));
    await delay(4500);
    return versions().length;
  }

  it('cola.feedback.schedule: the policy is tuned by itself once one pauses, if it is to be', async () => {
    assert.equal(await acceptAndPause({ 'cola.feedback.every': 1 }), 0);
    if (!slow) return;
    await acceptAndPause({ 'cola.feedback.schedule': 'live' });
    await eventually('a version is there', () => assert.deepEqual(versions(), ['v0001']));
  });

  seldom('cola.feedback.every: but not before so many judgements', async () => {
    const before = versions().length;
    const every = 2;
    assert.equal(await acceptAndPause({ 'cola.feedback.schedule': 'idle', 'cola.feedback.every': every }), before);
    await accept();
    await eventually('a version is there', () => assert.equal(versions().length, before + 1));
  });

  seldom('cola.feedback.scope: feedback and policy are those of the folder or of the computer', async () => {
    const computer = join(session.profile.data, 'User/globalStorage/cola-studio.cola-studio');
    // Nothing is tuned by itself any more: a version that came of it would be put in use.
    await set({}, recording);
    await session.workbench.command('CoLA: Policy Versions…');
    await session.workbench.pick('v0001').click();
    await session.workbench.hover(status(), /Policy:\sv0001/);
    await set({}, { ...recording, 'cola.feedback.scope': 'global' });
    const known = accepted();
    await eventually('the model has its own policy', async () => {
      assert.doesNotMatch(await hovered(), /Policy/);
    });
    await accept();
    await eventually('it is recorded', () => assert.equal(accepted(log(computer)), 1));
    assert.equal(accepted(), known);
    await set({}, recording);
    await session.workbench.hover(status(), /Policy:\sv0001/);
  });

  const threads = () => readdirSync(`/proc/${engines()[0]}/task`).length;
  // More than there are cores are not made.
  const most = availableParallelism();
  let many = 0;
  const completeWithAll = async () => {
    await set({}, { 'cola.interactiveLatency': 5, 'cola.threads': most });
    await accept();
    many = threads();
  };

  it('cola.interactiveLatency: the server is told of it, and completes as before', completeWithAll);

  // Each change of these is another model to load and to compile: they are changed together.
  const fewer = async (precision = 'int4') => {
    await set({ 'cola.device': 'cpu', 'cola.precision': precision }, { 'cola.threads': 1 });
    await accept();
  };

  it('cola.precision: a base in fewer bits completes too', async () => {
    for (const precision of slow ? ['f16', 'int4'] : ['int4']) await fewer(precision);
  });

  it('cola.threads: the engine has as many', async () => {
    if (many === 0) {
      await completeWithAll();
      await fewer();
    }
    if (most > 1)
      await eventually('one a program is left', () => assert.ok(threads() < many, `${threads()} of ${many}`));
  });

  it('cola.device: it computes there, or says why not', async () => {
    await status()
      .filter({ hasText: /nano · cpu/ })
      .waitFor();
    // No other was tried before.
    assert.match(await hovered(), /Device:\scpu\n/);
    // There is none of the kind where these tests run.
    await set({ 'cola.device': 'dml' }, {});
    await status()
      .filter({ hasText: /CoLA: .*dml/ })
      .waitFor();
  });

  seldom('cola.idleMinutes: the engine ends after so long without use', async () => {
    await set({}, { 'cola.idleMinutes': 0.05 });
    await accept();
    await eventually('it has ended', () => assert.equal(engines().length, 0));
    await status().filter({ hasText: /idle/ }).waitFor();
    // It is started again for whatever comes next.
    if (!slow) return;
    await accept();
    assert.equal(engines().length, 1);
  });
});
