/**
 * The server under load: many clients at once, and requests that mean harm beside them. Five minutes with 64 clients and
 * 10 000 such requests in the slow form (COLA_LOAD: seconds), seconds with few else.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { Random } from '../../server/random.ts';
import { record } from '../safety/results.ts';
import { program } from '../support/bundled.ts';

const slow = process.env.COLA_SLOW === '1';
const seconds = Number(process.env.COLA_LOAD ?? (slow ? 300 : 3));
const clients = slow ? 64 : 6;
const hostile = slow ? 10_000 : 150;
const token = 'a-token-for-the-load';

/** A server in a process of its own, so that its memory is its own. */
async function start(): Promise<{ child: ChildProcess; url: string; port: number; said: () => string }> {
  const args = [program('cola'), 'serve', '--model', 'builtin:nano', '--device', 'cpu', '--port', '0'];
  const env = { ...process.env, COLA_SERVE_TOKEN: token };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  const url = await new Promise<string>((found, failed) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const at = /http:\/\/\S+/.exec(said);
      if (at !== null) found(at[0]);
    });
    child.on('exit', () => failed(new Error(said)));
  });
  return { child, url, port: Number(new URL(url).port), said: () => said };
}

/** Sends one request on a connection of its own. @returns its status, when all of it has come, or the first piece for one who leaves */
function ask(port: number, body: object, leaves: boolean): Promise<number | undefined> {
  const headers = { Authorization: `Bearer ${token}`, Connection: 'close' };
  return new Promise((done, failed) => {
    const sent = request({ host: '127.0.0.1', port, method: 'POST', path: '/v1/completions', headers }, (response) => {
      response.on('error', failed).on('end', () => done(response.statusCode));
      response.on('data', () => {
        if (!leaves) return;
        done(response.statusCode);
        response.destroy();
      });
    });
    sent.on('error', failed).end(JSON.stringify(body));
  });
}

/** Megabytes that a process holds. */
const megabytes = (pid: number | undefined) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

/** Whatever a request may look like. */
function harm(random: Random): string | Uint8Array {
  const any = <T>(...values: readonly T[]): T => values[random.uint32() % values.length]!;
  const value = (): unknown =>
    any<unknown>(
      null,
      -1,
      1e308,
      'x',
      '',
      [],
      {},
      [[]],
      { a: 1 },
      true,
      'a'.repeat(1 + (random.uint32() % 5000)),
      [1e9],
    );
  const fields = [
    'prompt',
    'messages',
    'max_tokens',
    'n',
    'stop',
    'pin',
    'ban',
    'logprobs',
    'echo',
    'stream',
    'seed',
    'temperature',
    'top_p',
    'model',
    '__proto__',
    'constructor',
  ];
  const body = any<() => string>(
    () => JSON.stringify(Object.fromEntries(Array.from({ length: 4 }, () => [any(...fields), value()]))),
    () => '{"prompt":'.repeat(1 + (random.uint32() % 2000)),
    () => '[',
    () => JSON.stringify({ prompt: 'a', max_tokens: 1, [any(...fields)]: value() }),
    () => JSON.stringify({ prompt: Array.from({ length: 129 }, () => 'a') }),
  )();
  const path = any('/v1/completions', '/v1/chat/completions', '/v1/models', '/../..', '/v1/%00', '*', 'http://x/');
  const length = any(String(Buffer.byteLength(body)), '0', '-5', '99999999999', 'x');
  const auth = any(`Bearer ${token}`, `Bearer ${token}`, 'Bearer no', 'Basic x', '');
  const raw = `${any('POST', 'POST', 'GET', 'PUT', 'BREW')} ${path} HTTP/1.1\r\nHost: ${any('localhost', 'evil.example', '')}\r\nAuthorization: ${auth}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`;
  if (random.uint32() % 8 !== 0) return raw;
  return Uint8Array.from({ length: 1 + (random.uint32() % 300) }, () => random.uint32() & 255);
}

describe(`the local server under load for ${seconds} s`, function () {
  this.timeout((seconds + 300) * 1000);

  it('answers all who ask, each as often as the others, and does not grow', async () => {
    const { child, url, port, said } = await start();
    try {
      const until = Date.now() + seconds * 1000;
      const answers = new Array<number>(clients).fill(0);
      const memory: number[] = [];
      const client = async (index: number) => {
        const random = new Random(index);
        while (Date.now() < until) {
          const stream = random.uniform() < 0.3;
          const body = {
            prompt: 'const value = compute('.repeat(1 + (random.uint32() % 6)),
            max_tokens: 1 + (random.uint32() % 16),
            temperature: 1,
            stream,
            user: `client ${index}`,
            decoding: random.uniform() < 0.5 ? 'tokens' : 'actions',
          };
          // Now and then one goes away in the middle.
          const leaves = stream && random.uniform() < 0.2;
          assert.equal(await ask(port, body, leaves), 200);
          answers[index]!++;
        }
      };
      const enemy = async () => {
        const random = new Random(99);
        for (let i = 0; i < hostile; i++) {
          await new Promise<void>((done) => {
            const socket = connect(port, '127.0.0.1', () => socket.write(harm(random)));
            // Some hang on, most hang up.
            socket.setTimeout(random.uniform() < 0.02 ? 500 : 50, () => socket.destroy());
            socket.on('error', () => {}).on('close', () => done());
            socket.resume();
          });
        }
      };
      const watch = setInterval(() => memory.push(megabytes(child.pid)), (seconds * 1000) / 60);
      try {
        await Promise.all([...Array.from({ length: clients }, (_, i) => client(i)), enemy()]);
      } finally {
        clearInterval(watch);
      }
      assert.equal(child.exitCode, null, said());
      const response = await fetch(`${url}/models`, { headers: { Authorization: `Bearer ${token}` } });
      assert.equal(response.status, 200);
      const [least, most] = [Math.min(...answers), Math.max(...answers)];
      assert(least > 0, answers.join());
      if (slow) assert(most <= 2 * least, `${least} to ${most} answers`);
      const half = memory.slice(Math.floor(memory.length / 2));
      const middle = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
      const growth = middle(half.slice(-10)) - middle(half.slice(0, 10));
      // What is seen so far; a leak of a request's caches would be hundreds of megabytes.
      if (slow) assert(growth < 50, `${memory.map(Math.round).join()} MB`);
      const total = answers.reduce((sum, count) => sum + count, 0);
      if (slow)
        record('serve', {
          clients,
          seconds,
          answers: total,
          least,
          most,
          hostile,
          growthMegabytes: Math.round(growth),
        });
      const ended = new Promise((done) => child.once('exit', done));
      child.kill('SIGINT');
      await ended;
      assert.equal(child.exitCode, 0, said());
    } finally {
      child.kill('SIGKILL');
    }
  });
});
