import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './support/eventually.ts';
import { wait } from './support/patience.ts';
import { vscode } from './support/session.ts';
import { writeForRuns } from './support/small-model.ts';
import { reinforceSpec } from './support/spec.ts';
import { chooseWorkers } from './support/workers.ts';

const spec = reinforceSpec({ steps: 1, maxNew: 4, evaluateEvery: 1, checkpointEvery: 1 });

describe('two folders of one name in one window of VS Code', () => {
  const session = vscode({ folders: ['one/app', 'two/app'] });
  before(async () => {
    const { workbench, page } = session;
    await workbench.openSideBar();
    // VS Code in a browser may read the file of a workspace before it has reached the machine that has it, and opens no folder then.
    await eventually('the folders are open', async () => {
      if (await page.getByText('Runs are kept in a folder, and none is open').isVisible()) await workbench.reload();
      await page.getByText('No model has been tuned here yet').waitFor({ timeout: wait(10) });
    });
    for (const app of ['one/app', 'two/app']) writeForRuns(session, app);
    session.write('one/app/first.cola.yaml', spec);
    session.write('two/app/second.cola.yaml', spec);
  });

  const runsOf = (folder: string) => {
    const runs = join(session.folder, folder, '.cola/runs');
    return existsSync(runs) ? readdirSync(runs).filter((name) => !name.startsWith('.')) : [];
  };

  it('run each spec in its own folder, and the list says in which', async () => {
    const { workbench } = session;
    await workbench.openSideBar();
    for (const [folder, name] of [
      ['two/app', 'second'],
      ['one/app', 'first'],
    ] as const) {
      await workbench.openFile(`${folder}/${name}.cola.yaml`);
      await workbench.command('CoLA: Run Spec');
      await workbench.notification(`${name} has ended, and its model is saved.`).waitFor();
      await workbench.treeItem(new RegExp(`^Run ${name}.*${folder}`)).waitFor();
      assert.deepEqual(runsOf(folder), [name]);
    }
    await session.look('folders');
    assert.deepEqual(runsOf('two/app'), ['second']);
  });

  it('offer the specs of both where none is open', async () => {
    const { workbench, page } = session;
    await workbench.tidy();
    await workbench.command('CoLA: Run Spec');
    await workbench.pick(/first\.cola\.yaml\s*one\/app/).waitFor();
    await workbench.pick(/second\.cola\.yaml\s*two\/app/).waitFor();
    await page.keyboard.press('Escape');
  });

  it('are asked for by Train…, and the spec lies in the one that is chosen', async () => {
    const { workbench, page } = session;
    await workbench.command('CoLA: Train…');
    await workbench.pick('one/app').waitFor();
    await workbench.pick('two/app').click();
    await workbench.pick('Right answers').click();
    await workbench.pick('The task countdown').click();
    await workbench.pick('countdown').click();
    await chooseWorkers(session, /This process/);
    await page.locator('.tab.active[data-resource-name$=".cola.yaml"]').waitFor();
    const specs = (folder: string) =>
      readdirSync(join(session.folder, folder)).filter((name) => name.endsWith('.cola.yaml'));
    assert.equal(specs('two/app').length, 2);
    assert.equal(specs('one/app').length, 1);
    // How long its run takes is found out meanwhile, in a folder of the cache, as long as the spec is open.
    const cache = join(session.folder, 'two/app/.cola/cache');
    const trials = () => (existsSync(cache) ? readdirSync(cache) : []).filter((name) => name.startsWith('trial-'));
    await eventually('its first steps are tried', () => assert.equal(trials().length, 1));
    await workbench.tidy();
    await eventually('they are not, once it is closed', () => assert.deepEqual(trials(), []), 20);
  });
});
