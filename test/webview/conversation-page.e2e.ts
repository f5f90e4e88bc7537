import assert from 'node:assert/strict';
import { join } from 'node:path';
import { readLabels } from '../../server/cola/actions-file.ts';
import {
  conversationAlternatives,
  conversationBack,
  conversationOpen,
  conversationPick,
  conversationPlay,
  conversationProgress,
  conversationRestart,
  conversationTurn,
  readConversation,
} from '../../server/protocol/pages/conversation.ts';
import { closePlay, openPlay, type PlayState, restartPlay, takeTurn, turnBack } from '../../server/protocol/play.ts';
import { eventually } from '../e2e/support/eventually.ts';
import { engineLine } from '../support/engine-line.ts';
import { chromiumMissing, type PageInChromium, Stage } from '../support/page-in-chromium.ts';
import type { ThemeName } from '../support/themes.ts';

const labels = readLabels(join(import.meta.dirname, '../../assets/nano'), 64);
const setup = { root: '/project', environment: 'household', seed: 3, side: 'seen' as const, model: null };
const shots = process.env.COLA_SHOTS;

describe('the page of a conversation', function () {
  this.timeout(300_000);
  const { engine, channel } = engineLine();
  let stage: Stage;
  let at: PageInChromium;

  before(async function () {
    const missing = chromiumMissing();
    if (missing !== undefined) {
      console.log(`    The page was not tried: ${missing}.`);
      this.skip();
    }
    stage = await Stage.shared();
  });
  afterEach(async () => {
    const { errors } = at;
    await at.close();
    assert.deepEqual(errors, []);
  });
  after(() => engine.close());

  const look = async (name: string) => {
    if (shots !== undefined)
      await at.page.screenshot({ path: join(shots, `conversation-${name}.png`), fullPage: true });
  };

  /** A page whose episode the engine plays, without a model. */
  async function playing(
    play: string,
    theme: ThemeName = 'dark',
    size?: { width: number; height: number },
  ): Promise<void> {
    at = await stage.show('conversation', theme, undefined, size);
    at.answer(readConversation, () => ({ subject: { kind: 'play' as const, setup, model: null } }))
      .answer(conversationOpen, () => channel.ask(openPlay, { play, ...setup, device: 'cpu' }))
      .answer(conversationTurn, (params) => channel.ask(takeTurn, { play, ...params }))
      .answer(conversationBack, () => channel.ask(turnBack, { play }))
      .answer(conversationRestart, (world) => channel.ask(restartPlay, { play, ...world }));
    await at.load();
    await at.page.locator('.composer').waitFor();
    await at.page.getByText('You are in a house').waitFor();
  }

  /** A page of an episode with a model that answers what a test says. */
  async function withModel(state: PlayState): Promise<void> {
    at = await stage.show('conversation', 'dark');
    at.answer(readConversation, () => ({
      subject: { kind: 'play' as const, setup: { ...setup, model: 'm' }, model: 'nano' },
    }));
    at.answer(conversationOpen, () => state);
  }

  const field = () => at.page.getByRole('textbox', { name: "The agent's turn" });
  const press = (name: string) => at.page.locator(`vscode-button[aria-label="${name}"]`);
  const turn = (number: number) => at.page.locator('.turn').nth(number);

  it('is played by keyboard alone: a turn that is typed, one that is chosen from what can be done, one back, and again', async () => {
    await playing('keys');
    const { page } = at;
    await field().waitFor();
    await page.waitForFunction(() => document.activeElement?.tagName === 'VSCODE-TEXT-FIELD');
    await page.keyboard.type('sing');
    await page.keyboard.press('Enter');
    await turn(0).getByText('Nothing happened.').waitFor();
    assert.match(await turn(0).innerText(), /1\. You[\s\S]*sing/);
    // From the field over the buttons to the list, which is one stop; its arrows move inside.
    await page.locator('summary', { hasText: 'What can be done' }).focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowDown');
    const step = await page.evaluate(() => document.activeElement?.textContent ?? '');
    assert.match(step, /^go to /);
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.tagName === 'VSCODE-TEXT-FIELD');
    await page.keyboard.press('Enter');
    await turn(1)
      .getByText(/You are at/)
      .waitFor();
    await look('play-dark');
    await press('One turn back').focus();
    await page.keyboard.press('Enter');
    await turn(1).waitFor({ state: 'detached' });
    await press('Start again').focus();
    await page.keyboard.press('Enter');
    await turn(0).waitFor({ state: 'detached' });
    assert.match(await at.text('.sum'), /^0 turns · reward 0$/);
    await channel.ask(closePlay, { play: 'keys' });
  });

  it('ends with its reward, in words, and takes no turn then', async () => {
    await playing('won', 'light', { width: 640, height: 480 });
    const { page } = at;
    for (let i = 0; (await page.locator('.ending:visible').count()) === 0; i++) {
      assert.ok(i < 60);
      await press('Show me').click();
      await turn(i).waitFor();
    }
    await page.getByText('The environment ended the episode.').waitFor();
    assert.match(await at.text('.sum'), /turns · reward 1$/);
    assert.equal(await page.locator('[data-reward]').count(), 1);
    assert.deepEqual([await press('Show me').isVisible(), await field().isVisible()], [false, false]);
    await look('won-light-200');
    await channel.ask(closePlay, { play: 'won' });
  });

  const token = (text: string, action: number) => ({
    ...{ text, action, probability: 0.31 },
    runnerUp: { action: 4, probability: 0.2 },
  });
  const state: PlayState = {
    ...{ environment: 'household', seed: 3, side: 'seen', start: 'You are in a house.', draft: [] },
    ...{ told: 'You act in a house.', possible: null, expert: false, back: false, decoding: 'actions' },
    ...{ failure: null, ended: null, turns: [], labels },
  };
  const said = {
    ...{ by: 'model' as const, said: 'go to bed 1', observation: 'You are at bed 1.', reward: 0.25 },
    tokens: [token('go', 17), token(' to', 3), token(' bed 1', 41)],
  };

  it('shows what a model writes as it writes it, stops it, and shows its actions', async () => {
    await withModel(state);
    let finish = () => {};
    const written = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let asked = 0;
    at.answer(conversationTurn, async () => {
      asked++;
      if (asked === 1) return new Promise<PlayState>(() => {});
      await written;
      return { ...state, turns: [said] };
    });
    await at.load();
    await press('Let the model').click();
    await press('Stop').waitFor();
    at.tell(conversationProgress, { waits: 'writing' });
    at.tell(conversationProgress, { token: token('go', 17) });
    await at.page.locator('.draft .action-chip').waitFor();
    await look('writing-dark');
    await press('Stop').click();
    await at.page.locator('.draft').waitFor({ state: 'hidden' });
    await eventually('it can be asked again', async () => {
      await press('Let the model').click({ timeout: 1000 });
      await press('Stop').waitFor({ timeout: 1000 });
    });
    finish();
    await turn(0).locator('.action-chip').nth(2).waitFor();
    assert.match(
      (await turn(0).locator('.action-chip').first().getAttribute('aria-label')) ?? '',
      /^action 17, .*31 %, next 4 at 20 %/,
    );
    assert.equal(await turn(0).locator('.said').getAttribute('aria-label'), 'go to bed 1');
    assert.match(await turn(0).locator('[data-reward]').innerText(), /0\.25/);
  });

  it('offers what the likeliest actions would write, and takes a whole turn or one token', async () => {
    await withModel(state);
    const alternatives = [said.tokens, [token('take', 9), token(' mug 1', 2)]].map((tokens) => ({
      tokens,
      text: tokens.map(({ text }) => text).join(''),
      probability: 0.31,
    }));
    const picked: unknown[] = [];
    at.answer(conversationAlternatives, () => ({ alternatives })).answer(conversationPick, (params) => {
      picked.push(params);
      return params.whole ? { ...state, turns: [said] } : { ...state, draft: [token('take', 9)], back: true };
    });
    await at.load();
    await press('Choose its action').click();
    const choice = at.page.getByRole('button', { name: /^Say it: Action 17/ });
    await choice.waitFor();
    await at.page.waitForFunction(() => document.activeElement?.classList.contains('choice') === true);
    await look('alternatives-dark');
    await at.page.keyboard.press('Tab');
    await at.page.keyboard.press('Tab');
    await at.page.keyboard.press('Tab');
    await at.page.keyboard.press('Enter');
    await at.page.locator('.draft').getByText('take').waitFor();
    assert.equal(await choice.count(), 0);
    await press('Choose its action').click();
    await choice.click();
    await turn(0).waitFor();
    assert.deepEqual(picked, [
      { alternative: 1, whole: false },
      { alternative: 0, whole: true },
    ]);
  });

  it('shows an episode of a run as it was, and nothing to do in it', async () => {
    const turns = [
      { said: 'go to bed 1', observation: 'You are at bed 1. You see a mug 1.', reward: 0, end: 3 },
      { said: 'take mug 1 from bed 1', observation: null, reward: 0, end: 8 },
    ];
    const actions = [17, 3, 41, 9, 2, 63, 0, 12];
    const told = { step: 40, stage: 'reinforce', prompt: 'You are in a house.', completion: '', actions };
    const sample = { ...told, turns, ended: 'failed' as const, noScore: 'The environment "x" took longer than 10 ms.' };
    at = await stage.show('conversation', 'light');
    const run = { root: '/project', run: 'agent-0fc7' };
    at.answer(readConversation, () => ({ subject: { kind: 'sample' as const, run, sample } }));
    await at.load();
    await turn(1).getByText('No answer.').waitFor();
    assert.deepEqual(await turn(1).locator('.action-chip').allInnerTexts(), ['9', '2', '63', '0', '12']);
    assert.equal(await at.page.locator('.composer').count(), 0);
    assert.match(await at.text(), /Step 40 of agent-0fc7, reinforce[\s\S]*left out/);
    await look('sample-light');
  });

  it('says that there is none, and lets one begin', async () => {
    at = await stage.show('conversation', 'dark');
    at.answer(readConversation, () => ({ subject: { kind: 'none' as const } })).answer(conversationPlay, () => ({}));
    await at.load();
    await press('Play an environment…').click();
    await eventually('it is asked', async () =>
      assert.ok(at.asked.some(({ method }) => method === conversationPlay.method)),
    );
  });
});
