/** A folder that somebody else has made to do harm, opened in the real editor without trust, and trusted then. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/bundles.mjs';
import { Run } from '../../server/store/run.ts';
import { eventually } from './support/eventually.ts';
import { type Session, vscode } from './support/session.ts';

const shell = '# my shell\n';
/** Text that would run in a page that took it for one of its own, and would leave a mark. */
const payload = `<img src=x onerror="window.top.pwned=1;document.title='pwned'"><script>window.top.pwned=1</script>`;
const module =
  "import { writeFileSync } from 'node:fs';\nwriteFileSync(new URL('pwned', import.meta.url), '');\nexport default () => 1;\n";

/** The name of a model folder that would run in a shell which took it as text, however it quoted it. */
const command = `x"; touch pwned; '; touch pwned; $(touch pwned) \`touch pwned\``;

/** Settings that the folder brings along. */
const settings = {
  'cola.feedback.enabled': true,
  'cola.feedback.scope': 'workspace',
  'cola.runs.outliveWindow': true,
  'cola.threads': 100_000,
};

/** Of a spec that is larger than what is read of one; in the slow form nearly as large as any document that is. */
const stages = process.env.COLA_SLOW === '1' ? 190_000 : 6000;

/** Fills the folder. @returns a file outside, to which links of the folder lead */
async function plant(session: Session): Promise<string> {
  const { folder } = session;
  const outside = join(folder, '..', 'shellrc');
  writeFileSync(outside, shell);
  session.write('.vscode/settings.json', JSON.stringify({ ...settings, 'cola.model': '/dev/zero' }));
  session.write('reward.mjs', module);
  session.write(
    'evil.cola.yaml',
    'model: builtin:nano\nstages:\n  - reinforce: { prompts: arithmetic, reward: { module: ./reward.mjs }, group: 2, steps: 2, batch: 2 }\n',
  );
  session.write('deep.cola.yaml', `model: ${'['.repeat(20_000)}\n`);
  session.write('large.cola.yaml', `model: m\nstages:\n${'  - clone: { data: a.txt }\n'.repeat(stages)}`);
  session.write(
    'alias.cola.yaml',
    `a: &a [x, x]\n${Array.from({ length: 60 }, (_, i) => `b${i}: [*a, *a]\n`).join('')}`,
  );
  session.write(`${payload.replaceAll('/', '')}.ts`, 'export const a = 1;\n');
  session.write('sum.ts', 'export function sum(values: number[]): number {\n  let total = 0;\n  ');
  const run = await Run.create(folder, 'good', 'model: builtin:nano\nstages:\n  - clone: { data: a.txt }\n');
  run.metrics.append({ step: 1, stage: 'clone', loss: 2, [payload]: 1 } as { step: number });
  run.samples.append({ step: 1, stage: 'clone', prompt: payload, completion: payload, actions: [1] } as {
    step: number;
  });
  run.log(`message: ${payload}`);
  run.close();
  mkdirSync(join(folder, '.cola', 'feedback'), { recursive: true });
  symlinkSync(outside, join(folder, '.cola', 'feedback', 'log.jsonl'));
  symlinkSync('/dev/zero', join(folder, '.cola', 'runs', 'endless'));
  const endless = join(folder, '.cola', 'runs', 'zeros');
  mkdirSync(endless);
  for (const name of ['spec.yaml', 'metrics.jsonl', 'lock']) symlinkSync('/dev/zero', join(endless, name));
  symlinkSync('/dev/zero', join(folder, 'rows.jsonl'));
  const liar = join(folder, 'liar');
  mkdirSync(liar);
  writeFileSync(join(liar, 'config.json'), '['.repeat(500_000));
  writeFileSync(join(liar, 'model.safetensors'), Buffer.from('ffffffffffffff7f7b7d', 'hex'));
  cpSync(join(root, 'assets/nano'), join(folder, command), { recursive: true });
  rmSync(join(folder, command, 'actions.json'));
  return outside;
}

/** All names below a folder. */
const namesBelow = (folder: string) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

describe('a folder that means harm', () => {
  const session = vscode({ trust: true });
  let outside = '';
  let home: string[] = [];
  before(async () => {
    outside = await plant(session);
    home = namesBelow(join(session.folder, '.cola'));
    // Without trust nothing is recorded, whatever the person's settings say.
    session.writeMachineSettings({ 'cola.feedback.enabled': true, 'window.title': 'recorded' });
    await session.page.waitForFunction(() => document.title.endsWith('recorded'));
  });

  for (const trusted of [false, true])
    describe(trusted ? 'trusted' : 'not trusted', () => {
      if (trusted)
        before(async () => {
          const { workbench, page } = session;
          await workbench.tidy();
          // Of a folder that is trusted it is the model that completes, and there would be none.
          session.write('.vscode/settings.json', JSON.stringify(settings));
          session.writeMachineSettings({ 'window.title': 'not recorded' });
          await page.waitForFunction(() => document.title.endsWith('not recorded'));
          await workbench.command('Workspaces: Manage Workspace Trust');
          const editor = page.locator('.workspace-trust-editor');
          await editor.getByRole('button', { name: 'Trust', exact: true }).click();
          await editor.getByText('You trust this folder').waitFor();
          await workbench.tidy();
        });

      it('has specs that are refused, and completion beside them', async () => {
        const { workbench, page } = session;
        // A large file takes the editor long, whoever trusts it.
        for (const name of [
          'deep.cola.yaml',
          'alias.cola.yaml',
          ...(trusted && process.env.COLA_SLOW !== '1' ? [] : ['large.cola.yaml']),
        ]) {
          await workbench.openFile(name);
          await workbench.command('Problems: Focus on Problems View');
          await page.locator('.markers-panel .monaco-list-row').first().waitFor();
          await workbench.tidy();
        }
        await workbench.openFile('sum.ts');
        await workbench.goToEnd('sum.ts');
        await page.keyboard.type('for');
        await workbench.ghostText.first().waitFor();
        await workbench.take();
        await session.look(`hostile-${trusted}`);
      });

      it('has a run whose texts are shown as texts', async () => {
        const { workbench, page } = session;
        await workbench.command('CoLA: Open Run Dashboard…');
        await workbench.pick('good').first().click();
        const shown = workbench.webPage;
        await shown.locator('.run-head h1').filter({ hasText: 'good' }).waitFor();
        await shown.locator('section[aria-label="Samples"]').getByText('onerror').first().waitFor();
        assert.equal(await shown.locator('img[src="x"]').count(), 0);
        for (const frame of page.frames()) {
          const marked = await frame
            .evaluate('Boolean(globalThis.pwned) || document.title === "pwned"')
            .catch(() => false);
          assert.equal(marked, false);
        }
      });

      if (trusted)
        it('has data without end, which is not read', async () => {
          const { workbench, page } = session;
          await workbench.choose('CoLA: Train…', 'Right answers', 'A file…', 'rows.jsonl');
          await workbench.notification('rows.jsonl is a device, a pipe or a socket, which may have no end').waitFor();
          await page.keyboard.press('Escape');
        });

      if (trusted)
        it('has models that lie or are named as a command: one is not read, the other runs in no shell', async () => {
          const { workbench } = session;
          await workbench.choose('CoLA: Select Model', 'liar');
          await workbench.notification('liar is not read').waitFor();
          await workbench.choose('CoLA: Serve Model on This Machine…', 'touch pwned');
          // Who has no token is refused, which the model's process says when it has its name whole.
          await eventually('it answers', async () =>
            assert.equal((await fetch('http://127.0.0.1:8372/v1/models')).status, 401),
          );
          await workbench.command('Terminal: Kill All Terminals');
        });

      if (!trusted)
        it('has a reward that does not run, and is not trained in, which is told with what to do', async () => {
          const { workbench } = session;
          await workbench.openFile('evil.cola.yaml');
          await workbench.command('CoLA: Run Spec');
          const refusal = workbench.notification('the folder is not trusted');
          await refusal.waitFor();
          await refusal.getByRole('button', { name: 'Manage Trust' }).waitFor();
          assert.equal(existsSync(join(session.folder, 'pwned')), false);
          assert.equal(existsSync(join(session.folder, '.cola/runs/evil')), false);
        });

      if (!trusted)
        it('is told to have no feedback', async () => {
          const { workbench } = session;
          await workbench.command('Notifications: Clear All Notifications');
          await workbench.command('CoLA: Show Feedback');
          await workbench.notification('the folder is not trusted').first().waitFor();
        });

      it('has written nothing anywhere, and recorded nothing', () => {
        assert.equal(readFileSync(outside, 'utf8'), shell);
        assert.equal(existsSync(join(session.folder, 'pwned')), false);
        const known = new Set(home);
        assert.deepEqual(
          namesBelow(join(session.folder, '.cola')).filter((name) => !known.has(name) && name !== '.gitignore'),
          [],
        );
      });
    });
});
