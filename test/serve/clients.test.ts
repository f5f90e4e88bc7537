/**
 * The local server and clients that others wrote: curl, OpenAI's package for Python, lm-eval (OpenAI's for Node is in
 * server.test.ts). COLA_PEER_PYTHON names a Python that has the packages; what is not there is said and left out.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { peerPython } from '../../bench/peer.ts';
import { ColaModel } from '../../server/cola/model.ts';
import { Device } from '../../server/device/device.ts';
import { scoreFile } from '../../server/evaluate/score.ts';
import { LanguageModel } from '../../server/model/language-model.ts';
import { LocalServer } from '../../server/serve/server.ts';
import { Service } from '../../server/serve/service.ts';
import { needs, outputOf } from '../support/peers.ts';

const token = 'a-token-for-the-tests';
const nano = join(import.meta.dirname, '../../assets/nano');
const peers = join(import.meta.dirname, 'peers');
const fixture = (name: string) => join(import.meta.dirname, '../fixtures/lm-eval', name);
const slow = process.env.COLA_SLOW === '1';

const items = z.array(
  z.object({ context: z.string(), continuation: z.string(), logp: z.number(), greedy: z.boolean() }),
);
const sent = z.array(z.object({ prompt: z.array(z.array(z.int())) }).loose());
const evaluated = z.object({ version: z.string(), accuracy: z.number(), items, sent });
const recorded = z.object({ items: z.array(z.object({ context: z.string(), continuation: z.string() })), sent });
type Item = z.infer<typeof items>[number];

const answered = z.object({
  choices: z.array(
    z.object({
      index: z.int(),
      text: z.string(),
      logprobs: z
        .object({
          token_logprobs: z.array(z.number().nullable()),
          top_logprobs: z.array(z.record(z.string(), z.number()).nullable()),
        })
        .nullable(),
    }),
  ),
});

describe('clients that others wrote', function () {
  this.timeout(300_000);
  let device: Device;
  let service: Service;
  let server: LocalServer;
  const failures: unknown[] = [];
  const scratch = mkdtempSync(join(tmpdir(), 'cola-clients-'));

  before(async () => {
    device = await Device.open('cpu');
    service = new Service(device, await ColaModel.load(nano), { name: 'nano', parallel: 4, waiting: 64 });
    const onFailure = (error: unknown) => failures.push(error);
    server = await LocalServer.listen(service, { host: '127.0.0.1', port: 0, token, timeout: 60, onFailure });
  });
  after(async () => {
    rmSync(scratch, { recursive: true, force: true });
    await server.close();
    await service.close();
    await device.dispose();
    assert.deepEqual(failures, []);
  });

  const post = async (path: string, body: object): Promise<unknown> => {
    const headers = { Authorization: `Bearer ${token}` };
    return (await fetch(`${server.url}/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })).json();
  };
  const complete = async (body: object) => answered.parse(await post('completions', body)).choices;
  const asked = { prompt: 'export function ', max_tokens: 8, temperature: 0 };

  /** Of each item what `cola score` says of a row with its prompt and response: the log-likelihood of the response, in nats. */
  async function scores(of: readonly Pick<Item, 'context' | 'continuation'>[]): Promise<number[]> {
    const model = await LanguageModel.load(nano);
    const file = join(scratch, 'row.jsonl');
    const found: number[] = [];
    for (const { context, continuation } of of) {
      writeFileSync(file, JSON.stringify({ prompt: context, response: continuation }));
      const { loss, tokens } = await scoreFile(device, model, file);
      found.push(-loss * tokens);
    }
    return found;
  }

  /** The largest difference of a log-likelihood, item by item. */
  const farthest = (logps: readonly number[], expected: readonly number[]) => {
    assert.equal(logps.length, expected.length);
    return Math.max(...logps.map((logp, i) => Math.abs(logp - expected[i]!)));
  };

  it('are given by curl what fetch is given: models, an answer, a stream, a refusal', async function () {
    needs(this, 'curl', 'curl', ['--version']);
    const curl = (path: string, key: string, ...more: string[]) =>
      outputOf('curl', ['-sS', '-H', `Authorization: Bearer ${key}`, ...more, `${server.url}/${path}`]);
    const models = JSON.parse(await curl('models', token)) as { data: { id: string }[] };
    assert.deepEqual(
      models.data.map(({ id }) => id),
      ['nano'],
    );
    const [{ text }] = await complete(asked);
    // As the documentation has it: curl says that such a body is a form.
    const whole = answered.parse(JSON.parse(await curl('completions', token, '-d', JSON.stringify(asked))));
    assert.equal(whole.choices[0]!.text, text);
    const stream = await curl('completions', token, '-N', '--json', JSON.stringify({ ...asked, stream: true }));
    const events = stream.split('\n\n').filter((event) => event !== '');
    assert.equal(events.pop(), 'data: [DONE]');
    const pieces = events.map((event) => answered.parse(JSON.parse(event.replace(/^data: /, ''))).choices[0]!.text);
    assert.equal(pieces.join(''), text);
    assert.equal(await curl('models', 'another', '-o', join(scratch, 'refused'), '-w', '%{http_code}'), '401');
  });

  it("are given by OpenAI's package for Python what fetch is given", async function () {
    needs(this, "OpenAI's package for Python", peerPython, ['-c', 'import openai']);
    const messages = [{ role: 'user', content: 'Add 3 and 4.' }];
    const question = { address: server.url, key: token, prompt: asked.prompt, messages };
    const said = JSON.parse(
      await outputOf(peerPython, [join(peers, 'openai_client.py')], { input: JSON.stringify(question) }),
    ) as {
      version: string;
      logprobs: (number | null)[];
      tokens: string[];
      actions: number[];
    } & Record<string, unknown>;
    console.log(`    openai for Python ${said.version}`);
    const [{ text }] = await complete(asked);
    const chat = { messages, max_tokens: 8, temperature: 0 };
    const { choices } = (await post('chat/completions', chat)) as { choices: { message: { content: string } }[] };
    const [echoed] = await complete({ prompt: asked.prompt, max_tokens: 0, echo: true, logprobs: 1 });
    assert.deepEqual([said.models, said.text, said.streamed], [['nano'], text, text]);
    assert.deepEqual([said.answer, said.answerStreamed], Array(2).fill(choices[0]!.message.content));
    assert.equal(said.tokens.join(''), asked.prompt);
    assert.deepEqual(said.logprobs, echoed!.logprobs!.token_logprobs);
    assert.deepEqual(said.actions.slice(0, 2), [9, 4]);
    assert.deepEqual([said.completionTokens, said.refused], [8, 'serve.noPermission']);
  });

  const { items: expected, sent: requests } = recorded.parse(
    JSON.parse(readFileSync(fixture('requests.json'), 'utf8')),
  );
  const same = 1e-4;

  it('are told, asked as lm-eval asks, the log-likelihoods of `cola score`, item by item', async () => {
    const told = new Map<string, number[]>();
    // Each score reads the model anew.
    for (const request of slow ? requests : requests.slice(0, 2)) {
      for (const { index, logprobs } of await complete(request)) {
        // The last token is one that was written: lm-eval asks for one, and does not count it.
        const chances = logprobs!.token_logprobs.slice(0, -1);
        assert.equal(chances.length, request.prompt[index]!.length);
        told.set(String(request.prompt[index]), chances.map(Number));
      }
    }
    const { tokenizer } = service;
    const answers = expected.flatMap((item) => {
      const before = tokenizer.encode(item.context);
      const chances = told.get(String([...before, ...tokenizer.encode(item.continuation)]));
      if (chances === undefined) return [];
      return [{ ...item, logp: chances.slice(before.length).reduce((sum, logp) => sum + logp, 0) }];
    });
    // Both split texts into the same tokens.
    assert.equal(answers.length, told.size);
    const difference = farthest(
      answers.map(({ logp }) => logp),
      await scores(answers),
    );
    assert(difference < same, `${difference}`);
  });

  it('give lm-eval itself the log-likelihoods of `cola score`, item by item', async function () {
    if (!slow) {
      console.log('    Not tested: lm-eval itself. It is in the slow form (COLA_SLOW=1).');
      this.skip();
    }
    needs(this, 'lm-eval itself', peerPython, ['-c', 'import lm_eval.models.openai_completions, transformers']);
    const address = `${server.url}/completions`;
    const question = { address, model: 'nano', tokenizer: nano, rows: fixture('choices.jsonl'), batch: 4 };
    const output = await outputOf(peerPython, [join(peers, 'lm_eval_choices.py')], {
      input: JSON.stringify(question),
      env: { OPENAI_API_KEY: token },
    });
    const found = evaluated.parse(JSON.parse(output.trim().split('\n').at(-1)!));
    assert.deepEqual(
      found.items.map(({ context, continuation }) => ({ context, continuation })),
      expected,
    );
    assert.deepEqual(found.sent, requests);
    const ours = await scores(expected);
    const difference = farthest(
      found.items.map(({ logp }) => logp),
      ours,
    );
    console.log(
      `    lm-eval ${found.version}: ${ours.length} items, ${found.accuracy} right, at most ${difference} apart`,
    );
    assert(difference < same, `${difference}`);
    const questions = readFileSync(fixture('choices.jsonl'), 'utf8').trim().split('\n');
    const rights = questions.map((line) => {
      const { choices, answer } = z.object({ choices: z.array(z.string()), answer: z.int() }).parse(JSON.parse(line));
      const logps = ours.splice(0, choices.length);
      return logps.indexOf(Math.max(...logps)) === answer;
    });
    assert.equal(rights.filter(Boolean).length / rights.length, found.accuracy);
  });
});
