/** Every page, full and empty, in every theme and at every width: what does not fit, and what cannot be read. */
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readLabels } from '../../server/cola/actions-file.ts';
import { actionsFile } from '../../server/protocol/actions.ts';
import {
  extendSearch,
  loadModel,
  searchEvent,
  startSearch,
  startTurnSearch,
  treeReady,
} from '../../server/protocol/index.ts';
import { actionProfiles } from '../../server/protocol/pages/actions.ts';
import {
  conversationAlternatives,
  conversationOpen,
  readConversation,
} from '../../server/protocol/pages/conversation.ts';
import { historyWithYou, readActionsSubject, turnToAction } from '../../server/protocol/pages/run.ts';
import type { PlayState } from '../../server/protocol/play.ts';
import { type RunKey, runKey } from '../../server/protocol/runs.ts';
import { Random } from '../../server/random.ts';
import { stringifySpec } from '../../server/spec/document.ts';
import { runSpec, toRunSpec } from '../../server/spec/schema.ts';
import { Run, runFolder } from '../../server/store/run.ts';
import { logText } from '../../server/store/run-log.ts';
import { removeFolder, temporaryFolder } from '../engine/tiny-model.ts';
import { faintKeys, faintTexts } from '../support/contrast.ts';
import { engineLine } from '../support/engine-line.ts';
import { lastingMisfits, unmarkedFocus } from '../support/layout.ts';
import { chromiumMissing, type PageInChromium, Stage } from '../support/page-in-chromium.ts';
import { answerComparison, answerDashboard } from '../support/run-answers.ts';
import { type ThemeName, themes } from '../support/themes.ts';
import { type Ask, answerTree } from '../support/tree-answers.ts';

const nano = join(import.meta.dirname, '../../assets/nano');
const file = actionsFile.parse(JSON.parse(readFileSync(join(nano, 'actions.json'), 'utf8')));
/** A side bar, half an editor, a whole one. */
const widths = [380, 800, 1500];
/** Where most is shown: without pictures of all, colours are looked at here, of a dark theme and one of high contrast on white; in the
 * slow form those of every theme, everywhere. */
const widest = 1500;
const worn: readonly ThemeName[] = ['dark', 'contrast-light'];
const everywhere = process.env.COLA_SLOW === '1' || process.env.COLA_SHOTS !== undefined;
/** In the slow form, for what does not fit: a narrow editor, an editor beside a side bar. */
const between = [520, 1020];

/** A run of two stages with the noise that real ones have, long prompts, and codes that die. */
async function writeRun(root: string, run: string, steps: number, kl: number): Promise<RunKey> {
  const random = new Random(steps);
  const noise = (size: number) => size * (random.uniform() - 0.5);
  const stages = [
    { clone: { data: 'corpus/typescript-heldout.jsonl', steps: 40 } },
    { reinforce: { prompts: 'tasks/countdown.jsonl', reward: 'countdown', steps: 400, kl } },
  ];
  const made = await Run.create(root, run, stringifySpec(toRunSpec(runSpec.parse({ model: 'm', stages }))));
  made.log(logText('device', 'webgpu'));
  const usage = (dead: number) =>
    Array.from({ length: 64 }, (_, code) => (code % 7 < dead ? 0 : Math.round(400 / (1 + ((code * 13) % 64)))));
  const measure = (step: number, stage: string, more: object) =>
    made.metrics.append({
      step,
      stage,
      evaluation: true,
      seconds: 9,
      memory: 2.1e9,
      usage: usage(Math.min(3, Math.floor(step / 60))),
      ...more,
    });
  measure(0, 'clone', { steps: 40, held_out_loss: 3.1, held_out_accuracy: 0.1, held_out_alive: 64 });
  for (let step = 1; step <= 40; step++)
    made.metrics.append({ step, stage: 'clone', seconds: 1.2 + noise(0.2), loss: 3 / step ** 0.2 + noise(0.1) });
  for (let i = 0; i <= steps; i++) {
    const step = 40 + i;
    const reward = 0.9 - 0.6 * Math.exp(-i / 60) + noise(0.1);
    if (i > 0) {
      const seconds = { seconds: 4.2, seconds_rollout: 2.6 + noise(0.4), seconds_reward: 0.2, seconds_update: 1.4 };
      const figures = { reward, reward_spread: 0.3, kl: i / 400, entropy: 2.1 - i / 300, answer_tokens: 24 + noise(4) };
      const more = {
        finished: 0.98,
        mixed_groups: 0.7,
        gradient_norm: 0.4 + noise(0.2),
        usage: usage(i < 100 ? 1 : 2),
      };
      made.metrics.append({ step, stage: 'reinforce', ...seconds, ...figures, ...more });
    }
    if (i % 50 === 0)
      measure(step, 'reinforce', {
        ...(i === 0 ? { steps: 400 } : {}),
        greedy_solved: Math.min(0.6, 0.1 + i / 300),
        sampled_solved: Math.min(0.5, 0.08 + i / 350),
        greedy_reward: reward + 0.1,
        held_out_problems: 400,
        kl_action: i / 4000,
        held_out_alive: 64 - Math.round(i / 12),
      });
    if (i === 0 || i % 20 !== 0) continue;
    const actions = Array.from({ length: 24 }, (_, j) => (i * 7 + j * 11) % 64);
    const prompt = `Using the numbers 3, 11, 4 and ${i}, write an expression that equals ${i + 18}. Use every number once.\nAnswer: `;
    const parts = { format: 1, correct: i % 40 === 0 ? 1 : 0 };
    const completion = `<think>${i} + 11 + 4 + 3</think> <answer>(${i} + 11) + 4 + 3</answer>`;
    made.samples.append({ step, stage: 'reinforce', prompt, completion, actions, tokens: 24, reward, parts });
  }
  await made.saveCheckpoint(40 + steps, { files: {}, state: {} }, { keep: 2, best: true });
  made.close();
  return runKey.parse({ root, run });
}

describe('how pages look', function () {
  this.timeout(300_000);
  let stage: Stage;
  let folder = '';
  const key = { root: '', search: 'looks' };
  let ended = () => {};
  const { engine, channel } = engineLine();
  const ask: Ask = channel.ask.bind(channel);
  channel.on(searchEvent, ({ end }) => {
    if (end !== null) ended();
  });

  before(async function () {
    const missing = chromiumMissing();
    if (missing !== undefined) {
      console.log(`    How pages look was not tried: ${missing}.`);
      this.skip();
    }
    folder = await temporaryFolder();
    key.root = folder;
    stage = await Stage.shared();
  });
  after(async () => {
    await engine.close();
    if (folder !== '') await removeFolder(folder);
  });

  /** Looks at a page in every theme and width; with COLA_SHOTS, pictures of it are left in that folder. */
  async function look(
    shown: PageInChromium,
    name: string,
    ready: string,
    prepare: (shown: PageInChromium) => Promise<void> = async () => {},
  ): Promise<void> {
    await shown.load();
    await shown.page.locator(ready).first().waitFor();
    await prepare(shown);
    await shown.page.evaluate(() => scrollTo(0, 0));
    const found: string[] = [];
    for (const width of widths) {
      await shown.page.setViewportSize({ width, height: 900 });
      for (const theme of everywhere ? (Object.keys(themes) as ThemeName[]) : width === widest ? worn : []) {
        await shown.wear(theme);
        const at = `${name} ${theme} ${width}`;
        const faint = [...(await faintTexts(shown.page)), ...(await faintKeys(shown.page))];
        found.push(...faint.map((text) => `${at}: ${text}`));
        const shots = process.env.COLA_SHOTS;
        if (shots !== undefined)
          await shown.page.screenshot({ path: join(shots, `${name}-${width}-${theme}.png`), fullPage: true });
      }
      found.push(...(await lastingMisfits(shown.page)).map((text) => `${name} ${width}: ${text}`));
    }
    for (const width of everywhere ? between : []) {
      await shown.page.setViewportSize({ width, height: 900 });
      found.push(...(await lastingMisfits(shown.page)).map((text) => `${name} ${width}: ${text}`));
    }
    found.push(...(await unmarkedFocus(shown.page)).map((text) => `${name}: ${text}`));
    const nameless = shown.page.getByRole('textbox', { name: /^(Text (field|area))?$/ });
    if ((await nameless.count()) > 0) found.push(`${name}: a field has no name of its own`);
    assert.deepEqual(found, []);
    assert.deepEqual(shown.errors, []);
    await shown.close();
  }

  it('a run', async () => {
    const run = await writeRun(folder, 'countdown-from-nothing-0fc7896051', 200, 0);
    await look(answerDashboard(await stage.show('run', 'dark'), run), 'run', '.sample', async ({ page }) => {
      await page.getByRole('textbox', { name: 'Find in samples; #17 finds action 17' }).waitFor();
      await page.locator('.fold').nth(1).click();
      await page.locator('summary').click();
    });
  });

  it('a run with the longest name there can be, which failed', async () => {
    const name = `reinforce-countdown-with-a-name-${'that-nobody-would-give_but_somebody_has'.repeat(2)}`.slice(0, 100);
    const run = await writeRun(folder, name, 60, 0);
    const why =
      'The reward module rewards/very/deep/folder/of/a/person/judge.mjs threw an error: Cannot read properties of undefined (reading "answer"). Mend it and resume.';
    appendFileSync(join(runFolder(folder, name), 'log.txt'), `${new Date().toISOString()} ${logText('failed', why)}\n`);
    await look(answerDashboard(await stage.show('run', 'dark'), run), 'run-failed', '.sample', async ({ page }) => {
      await page.getByText('Cannot read properties').first().waitFor();
    });
  });

  it('a run that is not there any more', async () => {
    const gone = runKey.parse({ root: folder, run: 'gone' });
    await look(answerDashboard(await stage.show('run', 'dark'), gone), 'run-gone', '.empty');
  });

  it('no run', async () => {
    await look(answerDashboard(await stage.show('run', 'dark'), null), 'run-empty', '.empty');
  });

  it('runs beside each other', async () => {
    const runs = await Promise.all(
      [180, 120, 90, 60, 30].map((steps, i) => writeRun(folder, `countdown-with-kl-${i}-0fc789605${i}`, steps, i)),
    );
    await look(answerComparison(await stage.show('compare', 'dark'), runs), 'compare', '.settings');
  });

  it('no runs beside each other', async () => {
    await look(answerComparison(await stage.show('compare', 'dark'), []), 'compare-empty', '.empty');
  });

  it('latent actions, measured and not', async () => {
    for (const measured of [true, false]) {
      const shown = await stage.show('actions', 'dark');
      shown
        .answer(readActionsSubject, () => ({ model: 'builtin:nano', action: measured ? 17 : null }))
        .answer(actionProfiles, () => ({
          folder: nano,
          codes: file.codes,
          file: measured ? file : null,
          labels: measured ? readLabels(nano, file.codes) : [],
          trouble: null,
        }))
        .answer(turnToAction, () => ({}))
        .answer(historyWithYou, () => ({ history: { shown: 31, accepted: 12, rejected: 4 } }));
      await look(shown, measured ? 'actions' : 'actions-empty', '.card');
    }
  });

  it('a conversation that is played, one of a run, and none', async () => {
    const setup = { root: '/p', environment: 'worlds/a-long-name/agent.cola.yaml', seed: 3, side: 'seen' as const };
    const token = (text: string, action: number) => ({ text, action, probability: 0.4 });
    const tokens = ['go', ' to', ' cabinet', ' 1'].map((text, i) => token(text, 17 + i));
    const said = { by: 'model' as const, said: 'go to cabinet 1', tokens, observation: 'It is closed.', reward: 0.25 };
    const state: PlayState = {
      ...{ environment: 'household', seed: 3, side: 'seen', told: 'You act in a house.', start: 'You are in a house.' },
      ...{ turns: [said, { ...said, by: 'you', tokens: [], observation: 'It is open.' }], draft: [token('take', 9)] },
      ...{ ended: null, failure: null, possible: ['close cabinet 1', 'take mug 1 from cabinet 1'], expert: true },
      ...{ back: true, decoding: 'actions', labels: readLabels(nano, 64) },
    };
    const alternatives = [tokens, tokens.slice(2)].map((line) => ({ tokens: line, text: 'go on', probability: 0.4 }));
    const shown = await stage.show('conversation', 'dark');
    shown
      .answer(readConversation, () => ({
        subject: { kind: 'play' as const, setup: { ...setup, model: 'm' }, model: 'nano' },
      }))
      .answer(conversationOpen, () => state)
      .answer(conversationAlternatives, () => ({ alternatives }));
    await look(shown, 'conversation', '.turn', async ({ page }) => {
      await page.getByRole('textbox', { name: "The agent's turn" }).waitFor();
      for (const words of await page.locator('summary').all()) await words.click();
      await page.locator('vscode-button[aria-label="Choose its action"]').click();
      await page.locator('.choice').first().waitFor();
    });
    const turns = [{ said: 'go', observation: null, reward: -1, end: 3 }];
    const told = { step: 40, stage: 'reinforce', prompt: 'You are in a house.', completion: '', actions: [3, 41, 63] };
    const sample = { ...told, turns, ended: 'failed' as const, noScore: 'It took longer than 10 ms.' };
    const run = runKey.parse({ root: folder, run: 'household-agent-with-a-long-name-0fc7896051' });
    const kept = await stage.show('conversation', 'dark');
    kept.answer(readConversation, () => ({ subject: { kind: 'sample' as const, run, sample } }));
    await look(kept, 'conversation-sample', '.turn');
    const none = await stage.show('conversation', 'dark');
    none.answer(readConversation, () => ({ subject: { kind: 'none' as const } }));
    await look(none, 'conversation-empty', '.empty');
  });

  it('a search tree', async () => {
    await ask(loadModel, { folder: nano, device: 'cpu', threads: 1 });
    const code = { code: { read: 'continued', parse: 1, test: 0 } };
    // What tries code is a process of its own, and what is shown of a score is the same.
    const first = everywhere ? code : 'repetition';
    const reward = { sum: [{ reward: first, weight: 0.2 }, { reward: 'similarity' }] };
    const row = { answer: 'items.reduce((sum, item) => sum + item.price, 0);' };
    const prompt = 'export function total(items: Item[]) {\n  const sum = ';
    await ask(startSearch, { ...key, prompt, row, reward, options: { max_new: 8, breadth: 3 } });
    const stands = new Promise<void>((resolve) => {
      ended = resolve;
    });
    await ask(extendSearch, { ...key, simulations: 12 });
    await stands;
    const shown = await stage.prepare('tree', {
      theme: themes.dark,
      attach: (host) => void answerTree(host, key, ask),
    });
    await look(shown, 'tree', 'tr[data-action]', async ({ page }) => {
      await page.getByRole('textbox', { name: 'Search in the text (/)' }).waitFor();
    });
    const asked = await stage.prepare('tree', {
      theme: themes.light,
      attach: (host) => void answerTree(host, key, ask),
    });
    await look(asked, 'tree-help', 'tr[data-action]', async ({ page }) => {
      await page.locator('.stage').focus();
      await page.keyboard.press('Home');
      await page.keyboard.press('Alt+ArrowRight');
      await page.keyboard.press('?');
      await page.locator('.help').waitFor();
    });
  });

  it('a search over turns', async () => {
    await ask(loadModel, { folder: nano, device: 'cpu', threads: 1 });
    const over = { ...key, search: 'turns' };
    const behind = ['go to bed 1', 'sing'];
    const options = { max_new: 6, breadth: 2 };
    await ask(startTurnSearch, {
      ...over,
      environment: 'household',
      seed: 3,
      side: 'unseen',
      model: nano,
      behind,
      options,
    });
    const stands = new Promise<void>((resolve) => {
      ended = resolve;
    });
    await ask(extendSearch, { ...over, simulations: 4 });
    await stands;
    const shown = await stage.prepare('tree', {
      theme: themes.dark,
      attach: (host) => void answerTree(host, over, ask),
    });
    await look(shown, 'tree-turns', 'tr[data-action]', async ({ page }) => {
      await page.getByText('household, unseen world 3, after 2 turns').waitFor();
      await page.locator('.card').nth(1).click();
      await page.locator('.inspector-turns').waitFor();
    });
  });

  it('no search', async () => {
    const draft = { prompt: '', row: {}, language: 'typescript' };
    const shown = await stage.show('tree', 'dark');
    shown.answer(treeReady, () => ({ subject: { key: null, draft }, search: null, event: null, canTune: true }));
    await look(shown, 'tree-empty', '.start', async ({ page }) => {
      await page.getByRole('textbox', { name: 'Prompt' }).waitFor();
      await page.locator('vscode-dropdown').click();
      await page.getByRole('option', { name: 'As in a run spec…' }).click();
    });
  });
});
