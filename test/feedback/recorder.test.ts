import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { FeedbackBrowser } from '../../server/feedback/browser.ts';
import { FeedbackRecorder } from '../../server/feedback/recorder.ts';
import type { Completion } from '../../server/protocol/completion.ts';
import { survival } from '../../src/feedback/survival.ts';
import { link } from '../files/hostile.ts';
import { errorOf, scratchFolder } from '../store/scratch.ts';

const alternative = (action: number, ...texts: string[]): Completion['alternatives'][number] => ({
  text: texts.join(''),
  tokens: texts.map((text, i) => ({
    id: i,
    text,
    action: action + i,
    label: null,
    probability: 0.5,
    prior: 0.5,
    runnerUp: null,
  })),
  finish: 'line',
});

const completion = (before = 'let a = '): Completion => ({
  alternatives: [alternative(3, 'one', ' + two'), alternative(5, 'three')],
  promptTokens: 3,
  reusedTokens: 0,
  milliseconds: 1,
  record: { model: 'm', version: 'original', prompt: [1, 2, 3], before },
});

describe('recording feedback', () => {
  const scratch = scratchFolder();
  const place = () => ({ root: scratch(), folder: scratch(), file: scratch('a.ts'), exclude: [] as string[] });

  it('writes nothing until a person does something, and passes nothing on that only feedback needs', () => {
    const recorder = new FeedbackRecorder(() => true);
    const named = recorder.name('let a = ', completion());
    assert.equal(named.record, undefined);
    assert.deepEqual(
      named.alternatives.map(({ source }) => source?.index),
      [0, 1],
    );
    const { completion: id = '' } = named.alternatives[1].source ?? {};
    assert.deepEqual(recorder.suggestion(id, 1), { model: 'm', prompt: [1, 2, 3], tokens: [0], actions: [5] });
    assert.equal(recorder.suggestion(id, 2), undefined);
    assert.equal(recorder.suggestion('unknown', 0), undefined);
    assert.deepEqual(readdirSync(scratch()), []);
  });

  it('records what is said to answers of a chat, which belong to no file; a completion without one is not stored', () => {
    const recorder = new FeedbackRecorder(() => true);
    const inChat = { root: scratch(), folder: scratch(), exclude: [], alternative: 0 };
    const told = { what: 'accepted', part: 'whole', left: 0 } as const;
    const idOf = (named: Completion) => named.alternatives[0].source?.completion ?? '';
    const answer = idOf(recorder.name('Add 3 and 4.', completion('Add 3 and 4.'), 'chat'));
    assert.ok(recorder.note({ ...inChat, completion: answer, event: told }));
    const ghost = idOf(recorder.name('let a = ', completion()));
    assert.equal(recorder.note({ ...inChat, completion: ghost, event: told }), false);
    const secret = idOf(recorder.name('k', completion('password = "hunter2hunter2"'), 'chat'));
    assert.equal(recorder.note({ ...inChat, completion: secret, event: told }), false);
    const { items } = new FeedbackBrowser(scratch()).list('', 0, 10);
    assert.deepEqual(
      items.map(({ source, alternatives }) => [source, alternatives[0].outcome, alternatives[0].reward]),
      [['chat', 'accepted', 1]],
    );
  });

  it('writes a completion once, and what is left of an alternative as what was taken', () => {
    const recorder = new FeedbackRecorder(() => true);
    const id = recorder.name('let a = ', completion()).alternatives[0].source?.completion ?? '';
    const note = (alternativeIndex: number, event: Parameters<FeedbackRecorder['note']>[0]['event']) =>
      recorder.note({ ...place(), completion: id, alternative: alternativeIndex, event });
    assert.ok(note(0, { what: 'shown' }));
    assert.ok(note(0, { what: 'accepted', part: 'word', left: 6 }));
    assert.ok(note(1, { what: 'rejected', reason: 'typed', left: 5 }));
    const browser = new FeedbackBrowser(scratch());
    const { items, count } = browser.list('', 0, 10);
    assert.equal(count, 1);
    const [first, second] = items[0].alternatives;
    assert.deepEqual([first.outcome, second.outcome], ['accepted, 3 of 9 characters', 'something else was written']);
    assert.ok(Math.abs((first.reward ?? 0) - 1 / 3) < 1e-9 && second.reward === -0.5);
    assert.deepEqual(browser.action(3), { shown: 1, accepted: 1, rejected: 0 });
    browser.correct(items[0].id, 1, 1);
    assert.deepEqual(browser.list('', 0, 10).items[0].alternatives[1].reward, 1);
    assert.equal(browser.list('THREE', 0, 10).count, 1);
    assert.equal(browser.list('nowhere', 0, 10).count, 0);
    assert.throws(() => browser.correct('gone', 0, 1), errorOf('feedback.noMoment'));
    assert.throws(() => browser.correct(items[0].id, 7, 1), errorOf('feedback.alternative'));
    assert.equal(browser.erase([id]), 1);
    assert.equal(browser.list('', 0, 10).count, 0);
    assert.equal(readFileSync(scratch('.cola', 'feedback', 'log.jsonl'), 'utf8').trim(), '');
    recorder.forget(scratch(), [id]);
    assert.equal(note(0, { what: 'survived', share: 1, seconds: 30 }), false, 'what was deleted stays so');
    assert.equal(readFileSync(scratch('.cola', 'feedback', 'log.jsonl'), 'utf8').trim(), '');
    assert.throws(
      () => recorder.note({ ...place(), completion: 'x', alternative: 0, event: { what: 'shown' } }),
      errorOf('feedback.noCompletion'),
    );
  });

  it('stores neither byte nor file of what must not be stored', () => {
    const recorder = new FeedbackRecorder(() => true);
    const tell = (before: string, where: Partial<ReturnType<typeof place>>) => {
      const id = recorder.name(before, completion(before)).alternatives[0].source?.completion ?? '';
      const event = { what: 'accepted', part: 'whole', left: 0 } as const;
      return recorder.note({ ...place(), ...where, completion: id, alternative: 0, event });
    };
    mkdirSync(scratch('out'));
    writeFileSync(scratch('.gitignore'), 'out\n');
    assert.equal(tell('let a = ', { file: scratch('out', 'a.ts') }), false);
    assert.equal(tell('let a = ', { file: scratch('.env') }), false);
    assert.equal(tell('let a = ', { exclude: ['*.ts'] }), false);
    assert.equal(tell('let a = ', { file: scratch('..', 'b.ts') }), false);
    assert.equal(tell('const password = "correct horse";\nlet a = ', {}), false);
    assert.equal(existsSync(scratch('.cola')), false);
    assert.equal(tell('let a = ', {}), true);
  });

  it('stores nothing in a folder without trust, nor where it cannot be known what git ignores', () => {
    let trusted = false;
    const recorder = new FeedbackRecorder(() => trusted);
    const id = recorder.name('let a = ', completion()).alternatives[0].source?.completion ?? '';
    const note = () => recorder.note({ ...place(), completion: id, alternative: 0, event: { what: 'shown' } });
    assert.equal(note(), false);
    trusted = true;
    link('/dev/zero')(scratch('.gitignore'));
    assert.throws(note, errorOf('files.kind'));
    assert.equal(existsSync(scratch('.cola')), false);
    rmSync(scratch('.gitignore'));
    assert.equal(note(), true);
  });

  it('knows how much of a text is still there', () => {
    assert.equal(survival('const a = 1;', 'x\nconst a = 1;\ny'), 1);
    assert.equal(survival('const a = 1;', ''), 0);
    const half = survival('const total = sum(items);', 'const total = count(items);');
    assert.ok(half > 0.7 && half < 1, String(half));
    assert.ok(survival('return first;', 'throw second') === 0);
  });
});
