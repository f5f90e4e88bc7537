import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import OpenAI from 'openai';
import { ColaModel } from '../../server/cola/model.ts';
import { Device } from '../../server/device/device.ts';
import { LocalServer } from '../../server/serve/server.ts';
import { Service } from '../../server/serve/service.ts';

const token = 'a-token-for-the-tests';
const nano = join(import.meta.dirname, '../../assets/nano');

interface Choice {
  index: number;
  text: string;
  finish_reason: string;
  latent_actions?: number[];
  logprobs: { tokens: string[]; token_logprobs: (number | null)[]; text_offset: number[] } | null;
}

describe('the local server', function () {
  this.timeout(120_000);
  let device: Device;
  let service: Service;
  let server: LocalServer;
  let client: OpenAI;
  const failures: unknown[] = [];

  before(async () => {
    device = await Device.open('cpu');
    service = new Service(device, await ColaModel.load(nano), { name: 'nano', parallel: 4, waiting: 64 });
    const onFailure = (error: unknown) => failures.push(error);
    server = await LocalServer.listen(service, { host: '127.0.0.1', port: 0, token, timeout: 60, onFailure });
    client = new OpenAI({ baseURL: server.url, apiKey: token, maxRetries: 0 });
  });
  after(async () => {
    await server.close();
    await service.close();
    await device.dispose();
    assert.deepEqual(failures, []);
    assert.deepEqual({ ...device.ledger }, { buffers: 0, bytes: 0, programs: 0 });
  });

  const post = async (body: unknown, headers: Record<string, string> = {}, path = 'completions') => {
    const response = await fetch(`${server.url}/${path}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const value = (await response.json()) as { choices: Choice[]; error?: { code: string; message: string } };
    return { status: response.status, headers: response.headers, value };
  };
  const refused = async (body: unknown, headers?: Record<string, string>, path?: string) => {
    const { status, value } = await post(body, headers, path);
    assert(value.error !== undefined, JSON.stringify(value));
    return `${status} ${value.error.code}`;
  };

  it("answers OpenAI's own client: models, whole answers, streams", async () => {
    const models = await client.models.list();
    assert.deepEqual(
      models.data.map(({ id }) => id),
      ['nano'],
    );
    assert.equal((await client.models.retrieve('nano')).id, 'nano');
    const asked = { model: 'nano', prompt: 'export function ', max_tokens: 12, temperature: 0 } as const;
    const whole = await client.completions.create(asked);
    assert.equal(whole.usage?.completion_tokens, 12);
    let text = '';
    let finish: string | null = null;
    for await (const chunk of await client.completions.create({ ...asked, stream: true })) {
      text += chunk.choices[0]!.text;
      finish = chunk.choices[0]!.finish_reason;
    }
    assert.equal(text, whole.choices[0]!.text);
    assert.equal(finish, 'length');
    // By the tokens of the base, the answer is another.
    const { value } = await post({ ...asked, decoding: 'tokens' });
    assert.notEqual(value.choices[0]!.text, text);
  });

  it('takes prompts as text and as ids, several at once, and several answers of each', async () => {
    const ids = service.tokenizer.encode('const a = ');
    const asked = { model: 'nano', max_tokens: 4, temperature: 1, seed: 5, n: 2 };
    const one = await post({ ...asked, prompt: 'const a = ' });
    const same = await post({ ...asked, prompt: [...ids] });
    assert.deepEqual(
      same.value.choices.map(({ text }) => text),
      one.value.choices.map(({ text }) => text),
    );
    const many = await post({ ...asked, prompt: ['const a = ', 'if (', 'return '] });
    assert.deepEqual(
      many.value.choices.map(({ index }) => index),
      [0, 1, 2, 3, 4, 5],
    );
    assert.deepEqual(many.value.choices.slice(0, 2), one.value.choices);
  });

  it('tells the latent actions, takes those that are pinned, and none that are banned', async () => {
    const asked = { prompt: 'for (let i', max_tokens: 6, temperature: 0, latent_actions: true };
    const free = (await post(asked)).value.choices[0]!.latent_actions!;
    const pinned = (await post({ ...asked, pin: [9, 4] })).value.choices[0]!.latent_actions!;
    assert.deepEqual(pinned.slice(0, 2), [9, 4]);
    const banned = (await post({ ...asked, ban: [free[0]!] })).value.choices[0]!.latent_actions!;
    assert(!banned.includes(free[0]!));
    assert.equal(await refused({ ...asked, pin: 64 }), '400 serve.unknownAction');
    assert.equal(await refused({ ...asked, ban: Array.from({ length: 64 }, (_, i) => i) }), '400 serve.allBanned');
    assert.equal(await refused({ ...asked, logprobs: 2 }), '400 serve.tokensOnly');
  });

  it('echoes a prompt with its log-probabilities', async () => {
    const prompt = 'const x = 1;';
    const { value } = await post({ prompt, max_tokens: 0, logprobs: 1, echo: true });
    const { text, logprobs, finish_reason } = value.choices[0]!;
    assert.equal(text, prompt);
    assert.equal(finish_reason, 'length');
    assert.equal(logprobs!.tokens.join(''), prompt);
    assert.equal(logprobs!.token_logprobs[0], null);
    assert(logprobs!.token_logprobs.slice(1).every((logp) => logp! < 0));
    assert.deepEqual(logprobs!.text_offset[0], 0);
    const longer = (await post({ prompt, max_tokens: 3, logprobs: 0, echo: true, temperature: 0 })).value.choices[0]!;
    assert(longer.text.startsWith(prompt));
    assert.deepEqual(longer.logprobs!.token_logprobs.slice(0, logprobs!.tokens.length), logprobs!.token_logprobs);
    assert.equal(longer.logprobs!.tokens.join(''), longer.text);
  });

  it('answers a conversation, with log-probabilities where they are asked for', async () => {
    const messages = [{ role: 'user' as const, content: 'Add 3 and 4.' }];
    const asked = { model: 'nano', messages, max_completion_tokens: 6, temperature: 0 };
    const whole = await client.chat.completions.create(asked);
    const { content } = whole.choices[0]!.message;
    let text = '';
    let usage: number | undefined;
    const streamed = { ...asked, stream: true, stream_options: { include_usage: true } } as const;
    for await (const chunk of await client.chat.completions.create(streamed)) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage?.completion_tokens;
    }
    assert.equal(text, content);
    assert.equal(usage, whole.usage!.completion_tokens);
    const told = await client.chat.completions.create({ ...asked, logprobs: true, top_logprobs: 2 });
    const tokens = told.choices[0]!.logprobs!.content!;
    const said = tokens.map(({ token }) => token).join('');
    // The token that ends an answer has a chance too, and is no text.
    assert.equal(said.replace(/<\|end\|>$/, ''), told.choices[0]!.message.content);
    assert(tokens.every(({ logprob, top_logprobs }) => logprob <= 0 && top_logprobs.length === 2));
  });

  it('ends at a stop text, whole and in a stream', async () => {
    const asked = { prompt: 'export function ', max_tokens: 40, temperature: 0 };
    const { text } = (await post(asked)).value.choices[0]!;
    const stop = text.slice(7, 10);
    const ended = (await post({ ...asked, stop })).value.choices[0]!;
    assert.equal(ended.text, text.slice(0, text.indexOf(stop)));
    assert.equal(ended.finish_reason, 'stop');
  });

  it('refuses what it cannot read, in words', async () => {
    assert.equal(await refused('{"prompt":'), '400 serve.noJson');
    assert.equal(await refused('[]'), '400 serve.noJson');
    assert.equal(await refused(`{"prompt":${'['.repeat(50_000)}`), '400 serve.tooDeep');
    assert.equal(await refused(JSON.stringify({ prompt: 'x'.repeat(5 << 20) })), '413 serve.tooLarge');
    assert.equal(await refused({ prompt: 'a', temperature: -1 }), '400 serve.badField');
    assert.equal(await refused({ prompt: 'a', temperature: 'warm' }), '400 serve.badField');
    assert.equal(await refused({ prompt: [[1, 'b']] }), '400 serve.badField');
    assert.equal(await refused({ prompt: [99999999] }), '400 model.idOutOfRange');
    assert.equal(await refused({ prompt: '' }), '400 serve.emptyPrompt');
    assert.equal(await refused({}), '400 serve.badField');
    assert.equal(await refused({ prompt: 'a', max_tokens: 100_000 }), '400 serve.tooLong');
    assert.equal(await refused({ prompt: Array(100).fill('a'), n: 2 }), '400 serve.tooMany');
    assert.equal(await refused({ prompt: Array(100).fill('a') }), '429 serve.busy');
    assert.equal(await refused({ prompt: 'a', model: 'gpt-4' }), '404 serve.noModel');
    assert.equal(await refused({ prompt: 'a', tools: [{}] }), '400 serve.unsupported');
    assert.equal(await refused({ messages: [] }, {}, 'chat/completions'), '400 serve.badField');
    assert.equal(await refused({}, {}, 'embeddings'), '404 serve.noRoute');
    const { headers, status } = await post({ prompt: 'a', max_tokens: 1, temprature: 0, presence_penalty: 0 });
    assert.equal(status, 200);
    assert.equal(headers.get('x-ignored-fields'), 'temprature');
  });

  it('answers nobody without the token, no page, and no foreign name', async () => {
    const asked = { prompt: 'a', max_tokens: 1 };
    assert.equal(await refused(asked, { Authorization: '' }), '401 serve.noPermission');
    assert.equal(await refused(asked, { Authorization: `Bearer ${token}x` }), '401 serve.noPermission');
    assert.equal(await refused(asked, { Origin: 'https://example.org' }), '403 serve.fromPage');
    const status = await new Promise<number | undefined>((done, failed) => {
      const { port } = server;
      const headers = { Host: `evil.example:${port}`, Authorization: `Bearer ${token}` };
      httpRequest({ port, host: '127.0.0.1', path: '/v1/models', headers }, ({ statusCode }) => done(statusCode))
        .on('error', failed)
        .end();
    });
    assert.equal(status, 403);
  });

  it('stops writing for a client that goes away', async () => {
    const gone = new AbortController();
    const stream = await client.completions.create(
      { model: 'nano', prompt: 'a', max_tokens: 400, stream: true },
      { signal: gone.signal },
    );
    for await (const _ of stream) {
      gone.abort();
      break;
    }
    while (service.load > 0) await new Promise((next) => setTimeout(next, 5));
  });

  it('stands bytes that are no request', async () => {
    for (const bytes of [
      '\0\0\0\0',
      'GET /\r\n\r\n',
      'POST /v1/completions HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n',
    ]) {
      await new Promise<void>((done) => {
        const socket = connect(server.port, '127.0.0.1', () => socket.end(bytes));
        socket.on('error', () => {}).on('close', () => done());
        socket.resume();
      });
    }
    // What has the token and is no address is refused, not met as a mistake of ours.
    const answered = await new Promise<string>((done) => {
      let said = '';
      const socket = connect(server.port, '127.0.0.1', () =>
        socket.end(`GET // HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`),
      );
      socket.on('data', (data) => (said += String(data))).on('close', () => done(said));
    });
    assert.match(answered, /^HTTP\/1\.1 404 /);
    assert.equal((await post({ prompt: 'a', max_tokens: 1 })).status, 200);
  });
});
