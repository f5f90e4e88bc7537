import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { wait } from './support/patience.ts';
import { type Session, vscode } from './support/session.ts';
import { schoolQuestions, typescriptProject } from './support/stranger.ts';
import { chooseWorkers } from './support/workers.ts';

/** Answers of the person to `CoLA: Train…` with a file: what to improve, and where the rows are. */
async function chooseFile(session: Session, goal: string, path: string): Promise<void> {
  const { workbench } = session;
  await workbench.command('CoLA: Train…');
  await workbench.pick(goal).click();
  await workbench.pick('A file…').click();
  await workbench.quickInput.getByRole('button', { name: 'Learn from This' }).waitFor();
  await workbench.pick(path).click();
}

/** The spec that was written, made short as somebody does who only wants to see it happen. */
function shorten(session: Session, name: string, changes: readonly (readonly [RegExp, string])[]): void {
  const file = join(session.folder, name);
  let text = readFileSync(file, 'utf8');
  for (const [from, to] of changes) {
    assert.match(text, from);
    text = text.replace(from, to);
  }
  writeFileSync(file, text);
}

/** Runs the spec that is open, to its end, and completes with the model that it made. */
async function runAndUse(session: Session, run: string): Promise<void> {
  const { workbench } = session;
  await workbench.command('CoLA: Run Spec');
  const ended = workbench.notification(`${run} has ended, and its model is saved.`);
  // Its measurements at the end are those that the spec asks for, on whatever machine this is.
  await ended.waitFor({ timeout: wait(240) });
  await session.look(`${run}-ended`);
  await ended.getByRole('button', { name: 'Use It' }).click();
  await workbench
    .statusItem('cola.status')
    .filter({ hasText: new RegExp(`${run} · \\w+`) })
    .waitFor();
}

/** The files that a run has read, by what it keeps of its data. */
function filesOf(run: string): string[] {
  const names = readdirSync(join(run, 'data')).filter((name) => /^[0-9a-f]+\.json$/.test(name));
  const kept = names.map(
    (name) => JSON.parse(readFileSync(join(run, 'data', name), 'utf8')) as { files: { path: string }[] },
  );
  return [...new Set(kept.flatMap(({ files }) => files.map(({ path }) => path)))].sort();
}

describe('a person with a project of their own', () => {
  const session = vscode({ kept: true });
  const notice = (text: string | RegExp) => session.workbench.notification(text);
  let sources: string[] = [];
  before(() => {
    sources = typescriptProject(session.folder);
  });

  it('trains on the TypeScript files they wrote, and no others, and completes with the model', async function () {
    this.timeout(wait(600));
    const { workbench, page } = session;
    await workbench.command('CoLA: Train…');
    await workbench.pick('Writing as in my files').click();
    const offer = workbench.pick('The files of this folder');
    await offer.waitFor();
    await session.look('files-offer');
    const words = (await offer.innerText()).replace(/\s+/g, ' ');
    const files = sources.length + 1;
    assert.match(
      words,
      new RegExp(`${files} files, \\d+ kB, about \\d+ k tokens ?TypeScript ${sources.length}, Markdown 1;`),
    );
    assert.match(words, /1 minified, 1 not UTF-8/);
    await offer.click();
    await chooseWorkers(session, /This process/);
    await page.locator('.tab.active[data-resource-name="code.cola.yaml"]').waitFor();
    // Its first steps are tried meanwhile.
    const fits = page.locator('.codelens-decoration').getByText(/Fits \(.* GB\), .* (?:s|min|h)/);
    await fits.waitFor({ timeout: wait(240) });
    await session.look('files-spec');
    assert.match(readFileSync(join(session.folder, 'code.cola.yaml'), 'utf8'), /globs: \["\*\*\/\*\.ts"\]/);
    shorten(session, 'code.cola.yaml', [
      [/steps: 200 /, 'steps: 3 '],
      [/steps: 200\n/, 'steps: 3\n'],
      [/batch: 8\b/g, 'batch: 2'],
      [/length: 128/g, 'length: 32'],
      // To measure what is held out of all files takes longer than to learn from them.
      [/^( +)length: 32.*\n/gm, '$&$1held_out: src/versions.ts\n'],
      [/evaluate: \[codebook, marginal\]\n/, ''],
    ]);
    await workbench.line('steps: 3').first().waitFor();
    await runAndUse(session, 'code');
    const read = filesOf(join(session.folder, '.cola/runs/code'));
    assert.deepEqual(
      read.map((file) => relative(session.folder, file)),
      // What was left out is looked at too, and counted.
      [...sources, 'legacy.ts'].sort().map((name) => `src/${name}`),
    );
    await workbench.openFile('src/core.ts');
    await workbench.goToEnd('core.ts');
    await page.keyboard.type('\nexport function ');
    await workbench.ghostText.first().waitFor();
    await session.look('files-ghost');
  });

  it('is told which row cannot be used, is led there, goes on without it, and tunes a model by the reward that fits', async function () {
    this.timeout(wait(600));
    const { workbench, page } = session;
    const rows = schoolQuestions(40).split('\n');
    rows[23] = '{"question": "How many?", "answer": 4';
    session.write('school.jsonl', rows.join('\n'));
    await chooseFile(session, 'Right answers', 'school.jsonl');
    await workbench.quickInput.getByText('1 of 40 rows cannot be used in ./school.jsonl').waitFor();
    await session.look('broken');
    await workbench.pick('Open line 24 and correct it').click();
    await page.locator('.tab.active[data-resource-name="school.jsonl"]').waitFor();
    await page.getByText(/^Ln 24, Col 1$/).waitFor();
    await session.look('broken-line');
    await chooseFile(session, 'Right answers', 'school.jsonl');
    await workbench.pick('Leave them out').click();
    await workbench.pick('Read as').waitFor();
    await session.look('rows');
    await workbench.pick('Nadia has 2 boxes').first().waitFor();
    await workbench.pick('Read as').click();
    const fitting = workbench.pick('fits these answers');
    await fitting.waitFor();
    await session.look('reward');
    assert.match(await fitting.innerText(), /^numeric/);
    await fitting.click();
    const hired = await chooseWorkers(session, /\d workers on this machine/);
    await page.locator('.tab.active[data-resource-name="answers.cola.yaml"]').waitFor();
    await page.locator('.codelens-decoration').getByText(/Fits/).waitFor();
    await session.look('rows-spec');
    shorten(session, 'answers.cola.yaml', [
      [/steps: 40 /, 'steps: 2 '],
      [/batch: 16 /, 'batch: 2 '],
      [/group: 8 /, 'group: 2 '],
      [/max_new: 64 /, 'max_new: 12 '],
      [/evaluate_rows: 64/, 'evaluate_rows: 2'],
      // To answer all that is held out takes longer than to learn.
      [/evaluate: \[accuracy, codebook\]/, 'evaluate: [codebook]'],
      ...(hired ? ([[/engine: local .*\n {2}workers: \d+ /, 'engine: local\n  workers: 2 ']] as const) : []),
    ]);
    await workbench.line('steps: 2').first().waitFor();
    await runAndUse(session, 'answers');
    const log = readFileSync(join(session.folder, '.cola/runs/answers/log.txt'), 'utf8');
    assert.equal(/Worker 2 on .* is there/.test(log), hired, log);
  });

  it('is told of a file in another encoding, and where', async () => {
    session.write('old.jsonl', '');
    const latin = Buffer.from('{"question": "Wie viele gr\xfcne?", "answer": "#### 4"}\n', 'latin1');
    writeFileSync(join(session.folder, 'old.jsonl'), latin);
    await chooseFile(session, 'Right answers', 'old.jsonl');
    const told = notice(/old\.jsonl, line 1 has bytes that are not UTF-8\. Save the file as UTF-8/);
    await told.waitFor();
    await session.look('latin1');
    await told.getByRole('button', { name: 'Open Line' }).click();
    await session.page.locator('.tab.active[data-resource-name="old.jsonl"]').waitFor();
  });

  it('has nothing to mend in a file from Windows', async () => {
    session.write('windows.jsonl', `\ufeff${schoolQuestions(12).replaceAll('\n', '\r\n')}`);
    await chooseFile(session, 'Right answers', 'windows.jsonl');
    await session.workbench.pick('Read as').waitFor();
    await session.look('windows');
    await session.page.keyboard.press('Escape');
  });

  it('sees while typing that a model and a file are missing, and is told the same of the run', async () => {
    const { workbench, page } = session;
    session.write('mine.cola.yaml', 'seed: 7\nstages:\n  - clone: { data: ./rows.jsonl, steps: 2 }\n');
    await workbench.openFile('mine.cola.yaml');
    await workbench.goToEnd('mine.cola.yaml');
    await page.keyboard.type('model: ./no-such-model');
    await page.locator('.squiggly-warning').nth(1).waitFor();
    await workbench.hover(
      workbench.line('no-such-model').getByText('no-such-model'),
      /There is no model at .*no-such-model/,
    );
    await session.look('missing');
    await workbench.command('CoLA: Run Spec');
    const noModel = notice(/There is no model at .*no-such-model\. Check the path/);
    await noModel.getByRole('button', { name: 'Edit Spec' }).waitFor();
    await session.look('missing-run');
    for (let i = 0; i < './no-such-model'.length; i++) await page.keyboard.press('Backspace');
    await page.keyboard.type('builtin:nano');
    await page.locator('.squiggly-warning').nth(1).waitFor({ state: 'detached' });
    await workbench.command('CoLA: Run Spec');
    await notice(/There is no .*rows\.jsonl\. Check the path/).waitFor();
    await session.look('missing-data');
  });
});
