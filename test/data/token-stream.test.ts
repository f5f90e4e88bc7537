import assert from 'node:assert/strict';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { plainTurns } from '../../server/data/conversation.ts';
import { cachedTokens, encodeRow } from '../../server/data/token-cache.ts';
import { tokenRow } from '../../server/data/token-row.ts';
import { arrayTokens, TokenStream, tokenStreamState } from '../../server/data/token-stream.ts';
import { unmasked } from '../../server/data/unlearned.ts';
import { ChatTemplate } from '../../server/model/chat/chat.ts';
import { loadTokenizer } from '../../server/model/tokenizer/tokenizer.ts';
import { useFolder } from './folder.ts';

const load = (name: string) => loadTokenizer(fileURLToPath(new URL(`../fixtures/hf/${name}`, import.meta.url)));
const tokenizer = load('qwen2');
const numbers = (n: number) => arrayTokens(Int32Array.from({ length: n }, (_, i) => i));

describe('token stream', () => {
  it('predicts every token but the tail once an epoch', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.integer({ min: 1, max: 9 }), (n, T) => {
        fc.pre(n > T);
        const windows = Math.floor((n - 1) / T);
        const ids = new TokenStream(numbers(n), 5).next(windows, T);
        const targets = [...ids].filter((_, i) => i % (T + 1) !== 0).sort((a, b) => a - b);
        assert.deepEqual(
          targets,
          Array.from({ length: windows * T }, (_, i) => i + 1),
        );
        assert.ok(ids.every((id, i) => i % (T + 1) === 0 || id === ids[i - 1] + 1));
      }),
    );
  });

  it('continues from a saved state as if never stopped, also over the end of an epoch', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(12), fc.integer({ min: 1, max: 5 }), fc.boolean(), (seed, k, B, change) => {
        const straight = new TokenStream(numbers(50), seed);
        for (let i = 0; i < k; i++) straight.next(B, 7);
        if (change) straight.next(1, 4);
        const state = tokenStreamState.parse(JSON.parse(JSON.stringify(straight.state)));
        const resumed = new TokenStream(numbers(50), 0);
        resumed.next(1, 3);
        resumed.restore(state);
        for (let i = 0; i < 6; i++) assert.deepEqual(resumed.next(B, 7), straight.next(B, 7));
        assert.deepEqual(resumed.state, straight.state);
      }),
      { numRuns: 200 },
    );
  });

  it('gives other orders for other seeds and epochs', () => {
    const stream = new TokenStream(numbers(1001), 1);
    const first = stream.next(100, 10);
    assert.notDeepEqual(stream.next(100, 10), first);
    assert.notDeepEqual(new TokenStream(numbers(1001), 2).next(100, 10), first);
    assert.deepEqual(new TokenStream(numbers(1001), 1).next(100, 10), first);
  });

  it('refuses other data, and too little of it', () => {
    const { state } = new TokenStream(numbers(50), 1);
    assert.throws(() => new TokenStream(numbers(51), 1).restore(state), { id: 'data.staleState' });
    assert.throws(() => new TokenStream(numbers(50), 1).restore({ ...state, window: 7, position: 8 }), {
      id: 'data.staleState',
    });
    assert.throws(() => new TokenStream(numbers(5), 1).next(1, 5), { id: 'data.tooFewTokens' });
  });
});

describe('token cache', () => {
  const folder = useFolder();
  const request = (extra: object = {}) => ({
    source: { kind: 'jsonl', file: join(folder.path, 'rows.jsonl') } as const,
    tokenizer,
    eosId: 317,
    folder: join(folder.path, 'cache'),
    ...extra,
  });
  const all = (file: Awaited<ReturnType<typeof cachedTokens>>) => {
    const ids = new Int32Array(file.length);
    file.read(0, ids);
    file.close();
    return ids;
  };
  const files = () => readdirSync(join(folder.path, 'cache')).sort();

  it('keeps the tokens of a data set, made once', async () => {
    folder.write('rows.jsonl', '{"text":"the one"}\n{"text":"漢 <|im_end|>"}\n');
    const progress: number[] = [];
    const made = await cachedTokens(request({ onProgress: (n: number) => progress.push(n) }));
    assert.equal(made.info.documents, 2);
    assert.equal(made.info.type, 'uint16');
    const ids = all(made);
    assert.equal(tokenizer.decode(ids), 'the one<|endoftext|>漢 <|im_end|><|endoftext|>');
    assert.equal(progress.at(-1), ids.length);
    assert.equal(files().length, 2);

    const again = await cachedTokens(request({ onProgress: () => assert.fail('made twice') }));
    const part = new Int32Array(3);
    again.read(2, part);
    assert.deepEqual(part, ids.slice(2, 5));
    assert.deepEqual(all(again), ids);
  });

  it('is another for other contents, tokenizer or settings', async () => {
    folder.write('rows.jsonl', '{"text":"a"}\n{\n{"text":"b"}');
    const read = { skipBadRows: true };
    const keys = new Set<string>();
    const add = async (extra: object) => {
      const file = await cachedTokens(request({ read, ...extra }));
      keys.add(file.info.key);
      file.close();
    };
    await add({});
    await add({ eosId: 318 });
    await add({ tokenizer: load('qwen3') });
    await add({ source: { kind: 'jsonl', file: join(folder.path, 'rows.jsonl'), columns: { text: 'text' } } });
    folder.write('rows.jsonl', '{"text":"a"}\n{\n{"text":"c"}');
    await add({});
    assert.equal(keys.size, 5);
    await add({});
    assert.equal(keys.size, 5);
    const file = await cachedTokens(request({ read }));
    assert.deepEqual(file.info.skipped, { 'data.brokenJson': 1 });
    file.close();
  });

  it('is made anew when damaged, and leaves nothing behind when it fails', async () => {
    folder.write('rows.jsonl', '{"text":"the one"}');
    const ids = all(await cachedTokens(request()));
    const [bin, json] = files();
    truncateSync(join(folder.path, 'cache', bin), 2);
    assert.deepEqual(all(await cachedTokens(request())), ids);
    const bytes = readFileSync(join(folder.path, 'cache', bin));
    bytes[bytes.length - 4] ^= 1;
    writeFileSync(join(folder.path, 'cache', bin), bytes);
    assert.deepEqual(all(await cachedTokens(request())), ids, 'one bit');
    writeFileSync(join(folder.path, 'cache', json), '{');
    assert.deepEqual(all(await cachedTokens(request())), ids);
    assert.equal(files().length, 2);

    folder.write('rows.jsonl', '{"text":"the one"}\n{');
    await assert.rejects(cachedTokens(request()), { id: 'data.brokenJson' });
    await assert.rejects(cachedTokens(request({ read: { skipBadRows: true }, signal: AbortSignal.abort() })), {
      name: 'AbortError',
    });
    assert.equal(files().length, 2);
    const file = folder.write('file', '');
    folder.write('rows.jsonl', '{"text":"other"}');
    await assert.rejects(cachedTokens(request({ folder: file })), { id: 'data.cacheNotWritable' });
  });

  it('marks what is only read of a text in segments, whose control tokens count', async () => {
    const row = {
      segments: [
        { label: false, text: 'the <|im_end|>' },
        { label: true, text: 'one' },
        { label: false, text: ' more' },
        { label: true, text: ' end<|endoftext|>' },
      ],
    };
    const open = { segments: row.segments.slice(0, 3) };
    folder.write('rows.jsonl', `${JSON.stringify(row)}\n${JSON.stringify(open)}\n`);
    const made = await cachedTokens(request());
    assert.ok(made.masked);
    const { ids, mask } = unmasked(all(made));
    const learned = (value: number) => tokenizer.decode(ids.filter((_, i) => mask[i] === value));
    assert.equal(tokenizer.decode(ids), 'the <|im_end|>one more end<|endoftext|>the <|im_end|>one more<|endoftext|>');
    assert.equal(learned(1), 'one end<|endoftext|>one');
    assert.equal(learned(0), 'the <|im_end|> morethe <|im_end|> more<|endoftext|>');
    assert.equal(ids.filter((id) => id === tokenizer.encode('<|im_end|>')[0]).length, 2);

    const parts = row.segments.map(({ label, text }) => ({ text, learned: label }));
    const text = parts.map((part) => part.text).join('');
    const tokens = tokenRow({ kind: 'text', text, parts, columns: row }, tokenizer, undefined, 317);
    assert.equal(tokenizer.decode([...Array.from(tokens.prompt)]), 'the <|im_end|>');
    const said = Array.from(tokens.response);
    assert.equal(tokenizer.decode(said), 'one more end<|endoftext|>');
    assert.equal(tokenizer.decode(said.filter((_, i) => tokens.mask?.[i] === 1)), 'one end<|endoftext|>');
  });

  it('holds prompts with their responses, and conversations', async () => {
    const prompt = encodeRow({ kind: 'prompt', prompt: 'th', response: 'e', columns: {} }, tokenizer);
    assert.equal(tokenizer.decode(prompt.ids), 'the');
    assert.deepEqual(tokenizer.decode(prompt.ids.filter((_, i) => prompt.responseMask[i] === 1)), 'e');
    const messages = [{ role: 'assistant', content: 'hi' }];
    const bare = encodeRow({ kind: 'chat', messages, columns: {} }, tokenizer);
    const { prompt: asked, response: said } = plainTurns(messages);
    assert.equal(tokenizer.decode(bare.ids.filter((_, i) => bare.responseMask[i] === 0)), asked);
    assert.equal(tokenizer.decode(bare.ids.filter((_, i) => bare.responseMask[i] === 1)), said);
    const template = new ChatTemplate(
      '{% for m in messages %}{{ m.content }}{% endfor %}',
      { added_tokens_decoder: {} },
      'x',
    );
    assert.equal(tokenizer.decode(encodeRow({ kind: 'chat', messages, columns: {} }, tokenizer, template).ids), 'hi');
    // An answer that is only read stands in the text and is not learned.
    const turns = [
      { role: 'assistant', content: 'one', learned: false } as const,
      { role: 'user', content: ' more ' },
      { role: 'assistant', content: 'end' },
    ];
    const { ids, responseMask } = encodeRow({ kind: 'chat', messages: turns, columns: {} }, tokenizer, template);
    assert.equal(tokenizer.decode(ids), 'one more end');
    assert.equal(tokenizer.decode(ids.filter((_, i) => responseMask[i] === 1)), 'end');
  });
});
