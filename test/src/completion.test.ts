import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ActionToken, Alternative } from '../../server/protocol/index.ts';
import { AcceptedTokens, placed } from '../../src/completion/accepted.ts';
import { banning, Control, free, parseCodes, pinning } from '../../src/completion/control.ts';
import { type CompletionEvent, CompletionEvents, type Offer } from '../../src/completion/events.ts';
import { prefixOf } from '../../src/completion/prefix.ts';
import { atEnd, following, overlap, remainder, withFirst } from '../../src/completion/remainder.ts';
import { foldedRows, otherCodes } from '../../src/completion/rows.ts';
import { Session, settleMilliseconds } from '../../src/completion/session.ts';
import { actionName, ghostText, modeOf, modeText, oneLine, percent, reasonToWait } from '../../src/completion/words.ts';

const token = (text: string, action = text.length): ActionToken => ({
  id: 0,
  text,
  action,
  label: null,
  probability: 0.5,
  prior: 0.5,
  runnerUp: null,
});
const alternative = (...texts: string[]): Alternative => ({
  text: texts.join(''),
  tokens: texts.map((text) => token(text)),
  finish: 'line',
});
const offerOf = (...alternatives: Alternative[]): Offer => ({
  id: 1,
  uri: 'file:///a.ts',
  languageId: 'typescript',
  position: { line: 0, character: 0 },
  offset: 10,
  prefix: 'const x = ',
  suffix: '',
  model: null,
  control: free,
  trigger: 'typing',
  alternatives,
});

describe('the text before the cursor', () => {
  const part = (text: string) => ({
    length: text.length,
    read: (start: number, end: number) => text.slice(start, end),
  });
  const prefix = (cells: string[], own: string, offset = own.length) => prefixOf(cells.map(part), part(own), offset);

  it('is that of the document, with plain line breaks', () => {
    assert.equal(prefix([], 'a\r\nb\r\nc', 4), 'a\nb');
    assert.equal(prefix([], ''), '');
  });

  it('has the cells above before that of a cell, as parts of one file', () => {
    assert.equal(prefix(['import os', 'x = 1\r\n'], 'y = x', 3), 'import os\n\nx = 1\n\n\ny =');
  });

  it('of long texts is a bounded end, which begins at the same place for many keystrokes', () => {
    const digits = Array.from({ length: 20_000 }, (_, i) => `${i}`.padStart(5, '0')).join('');
    for (const cells of [[], [digits], [digits.slice(0, 32_766), digits.slice(0, 70_000)], ['x'.repeat(32_767)]]) {
      const whole = [...cells, digits].join('\n\n');
      const begins = new Set<number>();
      for (let typed = 80_000; typed < 80_100; typed++) {
        const found = prefix(cells, digits, typed);
        const all = whole.slice(0, whole.length - digits.length + typed);
        assert.ok(all.endsWith(found));
        assert.ok(found.length >= 65_536 && found.length < 65_536 + 32_768, `${found.length}`);
        begins.add(all.length - found.length);
      }
      assert.ok(begins.size <= 2, [...begins].join());
    }
  });
});

describe('alternatives while typing along', () => {
  it('keeps the tokens of what is left, and cuts one that is typed in part', () => {
    const left = remainder(alternative('foo', '.bar', '()'), 5);
    assert.equal(left.text, 'ar()');
    assert.deepEqual(
      left.tokens.map(({ text, action }) => [text, action]),
      [
        ['ar', 4],
        ['()', 2],
      ],
    );
  });

  it('always has tokens whose texts are the text', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1 }), fc.nat(), (texts, n) => {
        const whole = alternative(...texts);
        const length = n % (whole.text.length + 1);
        const left = remainder(whole, length);
        assert.equal(left.text, whole.text.slice(length));
        assert.equal(left.tokens.map(({ text }) => text).join(''), left.text);
      }),
    );
  });

  it('goes on with those that agree with what is typed', () => {
    const list = [alternative('foo'), alternative('bar'), alternative('foobar')];
    assert.deepEqual(following(list, 'fo'), [0, 2]);
    assert.deepEqual(following(list, 'foo'), [2]);
    assert.deepEqual(following(list, ''), [0, 1, 2]);
  });

  it('puts what is on the screen first, once', () => {
    const texts = withFirst(alternative('b'), [alternative('a'), alternative('b'), alternative('c')]);
    assert.deepEqual(
      texts.map(({ text }) => text),
      ['b', 'a', 'c'],
    );
  });

  it('completes unasked at the end of a line, and before what closes', () => {
    for (const rest of ['', '  ', ')', ');', '"]', ') {']) assert.ok(atEnd(rest), rest);
    for (const rest of ['x', ' + 1', ').then(']) assert.ok(!atEnd(rest), rest);
  });

  it('replaces the brackets that it writes again, and nothing else', () => {
    assert.equal(overlap('items.length)', ')'), 1);
    assert.equal(overlap('a, b);', ');'), 2);
    assert.equal(overlap('a, b', ')'), 0);
    assert.equal(overlap('a)\n}', ')'), 1);
    assert.equal(overlap('x', ''), 0);
  });
});

describe('ghost text', () => {
  const list = [alternative('foo', '(1)'), alternative('bar'), alternative('foo', '[2]')];
  const begun = (complete = true) => {
    const events: CompletionEvent[] = [];
    const session = new Session(
      (event) => events.push(event),
      () => {},
    );
    const offer = offerOf(...list);
    session.start(offer, complete, false);
    return { session, events, offer };
  };
  const kinds = (events: readonly CompletionEvent[]) =>
    events.map(
      (event) => `${event.kind} ${event.index}${event.kind === 'accepted' ? ` ${event.part} ${event.text}` : ''}`,
    );

  it('steps in a circle as soon as the editor has the list', () => {
    const { session, events } = begun();
    session.step(1);
    assert.equal(session.ghost?.index, 0, 'the editor asks first');
    assert.deepEqual(session.deliver(true), [0, 1, 2]);
    assert.equal(session.ghost?.index, 1);
    session.step(1);
    session.step(1);
    session.step(-1);
    assert.equal(session.ghost?.index, 2);
    assert.deepEqual(kinds(events), ['shown 0', 'cycled 1', 'cycled 2', 'cycled 0', 'cycled 2']);
  });

  it('keeps the one on the screen while the typing agrees, and falls back to one that does', () => {
    const { session, events } = begun();
    session.deliver(true);
    session.step(-1);
    session.moveTo('f');
    assert.equal(session.ghost?.index, 2);
    assert.deepEqual(session.deliver(false), [0, 2]);
    session.moveTo('foo(');
    assert.equal(session.ghost?.index, 0);
    session.moveTo('foo');
    assert.deepEqual(session.deliver(false), [0, 2], 'after a backspace the others are back');
    assert.deepEqual(kinds(events), ['shown 0', 'cycled 2']);
  });

  it('says that a word was accepted, which the editor then has first', () => {
    const { session, events } = begun();
    session.deliver(true);
    session.step(-1);
    session.noteInserted('foo');
    session.moveTo('foo');
    assert.deepEqual(session.deliver(false), [2, 0]);
    session.end('escape');
    assert.deepEqual(kinds(events).slice(2), ['accepted 2 word foo', 'rejected 2']);
  });

  it('takes letters for typing, also where the editor closes a bracket by itself', () => {
    const { session, events } = begun();
    session.noteInserted('f');
    session.moveTo('f');
    session.moveTo('foo');
    session.noteInserted('()');
    session.moveTo('foo(');
    assert.deepEqual(kinds(events), ['shown 0']);
  });

  it('says that all was accepted, once, when the editor says so', async () => {
    const { session, events, offer } = begun();
    session.moveTo('fo');
    session.noteInserted('o(1)');
    session.moveTo('foo(1)');
    assert.equal(session.ghost, undefined);
    session.accepted(offer, 0);
    await new Promise((resolve) => setTimeout(resolve, 2 * settleMilliseconds));
    assert.deepEqual(kinds(events), ['shown 0', 'accepted 0 whole o(1)']);
  });

  it('says that the person wrote it all when the editor says nothing', async () => {
    const { session, events } = begun();
    session.moveTo('ba');
    session.moveTo('bar');
    await new Promise((resolve) => setTimeout(resolve, 2 * settleMilliseconds));
    assert.deepEqual(kinds(events), ['shown 0', 'accepted 1 typed r']);
  });

  it('is rejected by other text, another place, and a new list', async () => {
    const typed = begun();
    typed.session.moveTo('x');
    await new Promise((resolve) => setTimeout(resolve, 2 * settleMilliseconds));
    const moved = begun();
    moved.session.moveTo(undefined);
    const replaced = begun();
    replaced.session.start(offerOf(alternative('y')), false, false);
    for (const { events } of [typed, moved, replaced]) assert.equal(events[1].kind, 'rejected');
    const continued = begun();
    continued.session.start(offerOf(alternative('y')), true, true);
    assert.deepEqual(kinds(continued.events), ['shown 0', 'shown 0']);
  });

  it('hands events to all, whoever fails', () => {
    const failures: unknown[] = [];
    const events = new CompletionEvents((error) => failures.push(error));
    let heard = 0;
    events.on(() => {
      throw new Error('no');
    });
    const listening = events.on(() => heard++);
    events.fire({ kind: 'shown', offer: offerOf(alternative('a')), index: 0 });
    listening.dispose();
    events.fire({ kind: 'shown', offer: offerOf(alternative('a')), index: 0 });
    assert.equal(heard, 1);
    assert.equal(failures.length, 2);
  });
});

describe('modes of latent actions', () => {
  it('bans one after the other, and is free without any', () => {
    assert.deepEqual(banning(banning(free, 5), 3), { mode: 'banned', actions: [3, 5] });
    // What is pinned stays pinned; banning the pin itself takes it off.
    const both = banning({ mode: 'pinned', action: 1 }, 5);
    assert.deepEqual(both, { mode: 'pinned', action: 1, banned: [5] });
    assert.deepEqual(banning(both, 1), { mode: 'banned', actions: [1, 5] });
    assert.deepEqual(pinning(both, 5), { mode: 'pinned', action: 5 });
    assert.equal(
      modeOf(both, () => ({ label: null, text: '' })),
      'Pinned: 1 · Banned: 5',
    );
    const control = new Control();
    const seen: string[] = [];
    control.onChange(({ mode }) => seen.push(mode));
    control.set({ mode: 'pinned', action: 17 });
    control.set({ mode: 'pinned', action: 17 });
    control.set({ mode: 'banned', actions: [] });
    assert.deepEqual(seen, ['pinned', 'free']);
  });

  it('reads lists of codes', () => {
    assert.deepEqual(parseCodes('17 3 3 41'), [17, 3, 3, 41]);
    assert.deepEqual(parseCodes(' 17,3; '), [17, 3]);
    for (const text of ['', ' ', 'seventeen', '1 x']) assert.equal(parseCodes(text), undefined);
  });

  it('names actions, chances and modes', () => {
    const shown = { action: 17, label: 'declare const', probability: 0.314 };
    assert.equal(ghostText(free, shown, { at: 2, of: 8 }), '◆ 17 declare const · 31 % · 2/8');
    assert.equal(ghostText(free, { ...shown, files: true }, undefined), '◆ 17 declare const · other files');
    assert.equal(ghostText({ mode: 'pinned', action: 17 }, shown, undefined), '$(pinned) ◆ 17 declare const · 31 %');
    assert.equal(reasonToWait({ lane: 'train', loading: null }), 'waiting for the training step');
    assert.equal(reasonToWait({ lane: 'train', loading: '/box/nano' }), 'waiting for the model');
    assert.equal(actionName(4, null), '4');
    assert.equal(actionName(4, null, '  const total\n'), '"const total" 4');
    assert.equal(ghostText(free, { ...shown, label: null, text: 'if (' }, undefined), '◆ "if (" 17 · 31 %');
    assert.deepEqual([0, 0.001, 0.5, 0.999, 1].map(percent), ['0 %', '<1 %', '50 %', '99 %', '100 %']);
    const labels = (action: number) => ({ label: action === 17 ? 'declare const' : null, text: 'const x' });
    assert.equal(modeOf({ mode: 'pinned', action: 17 }, labels), 'Pinned: 17 declare const');
    assert.equal(modeOf({ mode: 'pinned', action: 3 }, labels), 'Pinned: "const x" 3');
    assert.equal(modeOf({ mode: 'sequence', actions: [17, 3, 3, 41] }, labels), 'Sequence: 17 3 3 41');
    assert.equal(modeText({ mode: 'banned', actions: [5] }, labels), '$(circle-slash) Banned: 5');
    assert.equal(modeText(free, labels), '');
    assert.equal(oneLine('  a\n   b  '), 'a ⏎ b');
    assert.equal(oneLine('x'.repeat(90)).length, 80);
  });
});

describe('the rows of the list of actions', () => {
  const code = (action: number, probability: number, like = action) => ({
    action,
    label: null,
    probability,
    text: `text of ${like}`,
    like,
  });

  it('have one for all codes that write the same, by the likeliest of them, with their chances together', () => {
    const rows = foldedRows([code(3, 0.4), code(5, 0.3), code(8, 0.2, 5), code(1, 0.1, 5)]);
    assert.deepEqual(
      rows.map(({ preview, probability, others }) => [preview.action, probability.toFixed(2), otherCodes(others)]),
      [
        [5, '0.60', 'also 8 1'],
        [3, '0.40', ''],
      ],
    );
  });

  it('hold every code once', () => {
    const codes = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(7)), { minLength: 1 });
    fc.assert(
      fc.property(codes, (drawn) => {
        const leaders = new Map<number, number>();
        const previews = drawn.map(([probability, group], action) => {
          if (!leaders.has(group)) leaders.set(group, action);
          return code(action, probability, leaders.get(group));
        });
        const rows = foldedRows(previews);
        const all = rows.flatMap(({ preview, others }) => [preview, ...others]);
        assert.deepEqual(
          all.map(({ action }) => action).sort((a, b) => a - b),
          [...drawn.keys()],
        );
        for (const { preview, others } of rows) {
          assert.equal(preview.action, preview.like);
          assert.ok(others.every(({ like }) => like === preview.like));
        }
        const chances = rows.map(({ probability }) => probability);
        assert.deepEqual(
          chances,
          [...chances].sort((a, b) => b - a),
        );
      }),
    );
  });
});

describe('tokens that were accepted', () => {
  it('stay with their text under edits, and go when it is touched', () => {
    // The reference: a document whose characters know which token they belong to.
    const edits = fc.array(fc.record({ at: fc.nat(40), length: fc.nat(6), inserted: fc.integer({ min: 0, max: 4 }) }), {
      maxLength: 12,
    });
    const texts = fc.array(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(texts, edits, (words, changes) => {
        let characters: (number | undefined)[] = [undefined, undefined];
        for (const [i, word] of words.entries()) for (let k = 0; k < word.length; k++) characters.push(i);
        characters.push(undefined);
        const accepted = new AcceptedTokens();
        accepted.add(
          placed(
            2,
            words.map((word, i) => token(word, i)),
          ),
        );
        // One that was touched stays so, even if later edits bring its characters together again.
        const touched = new Set<number>();
        const isWhole = (word: string, i: number) => {
          const start = characters.indexOf(i);
          const all = Array.from(word, (_, k) => characters[start + k]);
          return start >= 0 && !touched.has(i) && all.every((owner) => owner === i);
        };
        for (const { at, length, inserted } of changes) {
          const offset = Math.min(at, characters.length);
          const cut = Math.min(length, characters.length - offset);
          characters = [
            ...characters.slice(0, offset),
            ...new Array<undefined>(inserted).fill(undefined),
            ...characters.slice(offset + cut),
          ];
          for (const [i, word] of words.entries()) if (!isWhole(word, i)) touched.add(i);
          accepted.edit([{ offset, length: cut, inserted }]);
        }
        const expected = words.flatMap((word, i) => {
          const start = characters.indexOf(i);
          return isWhole(word, i) ? [{ action: i, start, end: start + word.length }] : [];
        });
        const found = accepted.all.map(({ start, end, token: { action } }) => ({ action, start, end }));
        assert.deepEqual(found, expected);
      }),
    );
  });

  it('takes the edits of one event in places of the document before it', () => {
    const accepted = new AcceptedTokens();
    accepted.add(placed(10, [token('abc', 1), token('de', 2)]));
    accepted.edit([
      { offset: 0, length: 0, inserted: 5 },
      { offset: 14, length: 1, inserted: 0 },
    ]);
    assert.deepEqual(
      accepted.all.map(({ start, end }) => [start, end]),
      [[15, 18]],
    );
    assert.equal(accepted.at(17)?.token.action, 1);
    assert.equal(accepted.at(18), undefined);
    assert.equal(accepted.within(0, 16).length, 1);
  });
});
