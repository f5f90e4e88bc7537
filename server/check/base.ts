/** Checks a base model folder: forward pass, gradients, decoding, padding, configuration styles, tokenizer, chats. */
import { isDeepStrictEqual } from 'node:util';
import type { Device } from '../device/device.ts';
import type { Program } from '../device/program.ts';
import { gradient } from '../graph/gradient.ts';
import type { Tensor } from '../graph/tensor.ts';
import { hiddenStates, languageHead, nextTokenLoss } from '../model/base.ts';
import { causalContext, paddedContext } from '../model/block.ts';
import { loadChatTemplate } from '../model/chat/chat.ts';
import { parseModelConfig } from '../model/config/config.ts';
import { baseStepper, type LanguageModel, uploadWeights } from '../model/language-model.ts';
import { argmaxOf } from '../model/sampling.ts';
import type { Tokenizer } from '../model/tokenizer/tokenizer.ts';
import type { Comparer } from './comparison.ts';
import type { ExpectedChat, Reference } from './reference.ts';

/** Which part of the model a gradient belongs to, for the report. */
export function gradientGroup(name: string): string {
  const kind = /embed_tokens/.test(name)
    ? 'embedding'
    : /self_attn/.test(name)
      ? 'attention'
      : /\.mlp\.|merge/.test(name)
        ? 'mlp'
        : /norm/.test(name)
          ? 'norms'
          : 'heads';
  return `gradients ${kind}`;
}

export async function checkBase(
  device: Device,
  model: LanguageModel,
  reference: Reference,
  comparer: Comparer,
): Promise<void> {
  await checkForward(device, model, reference, comparer);
  await checkGreedy(device, model, reference, comparer);
  await checkPadded(device, model, reference, comparer);
  checkConfigStyles(model, reference, comparer);
  if (model.tokenizer !== undefined) {
    checkTokenizer(model.tokenizer, reference, comparer);
    checkChats(model, model.tokenizer, reference, comparer);
  }
}

/** Runs a program whose outputs are float32 and are all read. */
export async function readRun(
  program: Program,
  ...args: Parameters<Program['run']>
): Promise<Record<string, Float32Array>> {
  const results = await program.run(...args);
  const values: Record<string, Float32Array> = {};
  for (const [name, buffer] of Object.entries(results)) {
    values[name] = (await buffer.read()) as Float32Array;
    buffer.release();
  }
  return values;
}

/** {@link readRun} of a program that is of no use any more. */
export async function readAll(...args: Parameters<typeof readRun>): Promise<Record<string, Float32Array>> {
  const values = await readRun(...args);
  await args[0].dispose();
  return values;
}

async function checkForward(
  device: Device,
  model: LanguageModel,
  reference: Reference,
  comparer: Comparer,
): Promise<void> {
  const [batch, length] = reference.shape('input_ids');
  const graph = device.graph();
  const ids = graph.input('ids', 'int32', [batch, length]);
  const { h } = hiddenStates(graph, model.config, ids, causalContext(graph, model.config, batch, length));
  const logits = languageHead(graph, model.config, h);
  const loss = nextTokenLoss(logits, ids);
  const outputs: Record<string, Tensor> = { hidden: h, logits, loss };
  const names = reference.gradientsOf('grad.');
  const parameters = model.tensors.map(({ name, shape }) => graph.parameter(name, shape));
  for (const [i, g] of gradient(loss, parameters).entries()) outputs[`grad.${model.tensors[i].name}`] = g;
  const weights = await uploadWeights(device, model.weights, model.tensors);
  const values = await readAll(
    await device.compile(outputs),
    { ids: reference.ints('input_ids') },
    { states: [weights] },
  );
  const tolerance = reference.json.tolerance ?? {};
  const against = (name: string, limit: number) => {
    if (reference.has(name)) comparer.compare(name, name, values[name], reference.floats(name), 'absolute', limit);
  };
  against('hidden', tolerance.hidden_max_abs ?? 1e-4);
  against('logits', tolerance.logits_max_abs ?? 1e-4);
  against('loss', tolerance.loss_abs ?? 1e-5);
  const limit = tolerance.grad_max_abs_over_tensor_max ?? 1e-4;
  for (const name of names) {
    comparer.compare(
      gradientGroup(name),
      name,
      values[`grad.${name}`] ?? [],
      reference.floats(`grad.${name}`),
      'relative',
      limit,
    );
  }
  weights.dispose();
}

async function checkGreedy(
  device: Device,
  model: LanguageModel,
  reference: Reference,
  comparer: Comparer,
): Promise<void> {
  if (!reference.has('greedy')) return;
  const [batch, count] = reference.shape('greedy');
  const length = reference.shape('input_ids')[1];
  const ids = reference.ints('input_ids');
  const prompt = reference.json.greedy?.prompt_length ?? 8;
  const stepper = baseStepper(device, model);
  const cache = await stepper.cache(batch, prompt + count);
  let tokens: ArrayLike<number>[] = Array.from({ length: batch }, (_, b) =>
    ids.subarray(b * length, b * length + prompt),
  );
  const produced = new Int32Array(batch * count);
  for (let t = 0; t < count; t++) {
    const { logits } = await stepper.advance(cache, tokens);
    const values = await logits.readFloats();
    logits.release();
    const next = Array.from({ length: batch }, (_, b) =>
      argmaxOf(values, b * model.config.vocabSize, model.config.vocabSize),
    );
    for (const [b, token] of next.entries()) produced[b * count + t] = token;
    tokens = next.map((token) => [token]);
  }
  comparer.compare('greedy', 'greedy', produced, reference.ints('greedy'), 'exact', 0);
  cache.dispose();
  await stepper.dispose();
}

async function checkPadded(
  device: Device,
  model: LanguageModel,
  reference: Reference,
  comparer: Comparer,
): Promise<void> {
  if (!reference.has('pad_input_ids')) return;
  const [batch, length] = reference.shape('pad_input_ids');
  const graph = device.graph();
  const ids = graph.input('ids', 'int32', [batch, length]);
  const positions = graph.input('positions', 'int64', [batch, length]);
  const attended = graph.input('attended', 'float32', [batch, length]);
  const { h } = hiddenStates(graph, model.config, ids, paddedContext(graph, model.config, positions, attended));
  const program = await device.compile({ logits: languageHead(graph, model.config, h) });
  const mask = reference.ints('pad_attention_mask');
  const count = (b: number, t: number) => mask.subarray(b * length, b * length + t).reduce((n, m) => n + m, 0);
  const places = BigInt64Array.from(mask, (_, i) => BigInt(count(Math.floor(i / length), i % length)));
  const weights = await uploadWeights(device, model.weights, model.tensors);
  const feeds = { ids: reference.ints('pad_input_ids'), positions: places, attended: Float32Array.from(mask) };
  const { logits } = await readAll(program, feeds, { states: [weights] });
  const { vocabSize } = model.config;
  const counts = Uint8Array.from({ length: logits.length }, (_, i) => mask[Math.floor(i / vocabSize)]);
  const limit = reference.json.tolerance?.pad_logits_max_abs ?? 1e-4;
  comparer.compare('padded logits', 'pad_logits', logits, reference.floats('pad_logits'), 'absolute', limit, counts);
  weights.dispose();
}

function checkConfigStyles(model: LanguageModel, reference: Reference, comparer: Comparer): void {
  const other = reference.json.config_v4_style;
  if (other === undefined) return;
  const { eosTokenIds: _, ...parsed } = parseModelConfig(other, 'expected.json');
  const { eosTokenIds: __, ...own } = model.config;
  comparer.record('config styles', 'config_v4_style', isDeepStrictEqual(parsed, own) ? 0 : 1, 0);
}

function checkTokenizer(tokenizer: Tokenizer, reference: Reference, comparer: Comparer): void {
  const same = (what: string, text: string, actual: unknown, expected: unknown) => {
    if (expected !== undefined)
      comparer.record(
        `tokenizer ${what}`,
        JSON.stringify(text).slice(0, 40),
        isDeepStrictEqual(actual, expected) ? 0 : 1,
        0,
      );
  };
  for (const entry of reference.json.tokenizer?.round_trips ?? []) {
    same('encode', entry.text, [...tokenizer.encode(entry.text, { addSpecialTokens: true })], entry.ids);
    same(
      'encode',
      entry.text,
      [...tokenizer.encode(entry.text, { addSpecialTokens: false })],
      entry.ids_without_special,
    );
    same('decode', entry.text, tokenizer.decode(entry.ids, { skipSpecialTokens: false }), entry.decoded);
    same('decode', entry.text, tokenizer.decode(entry.ids, { skipSpecialTokens: true }), entry.decoded_skip_special);
  }
  for (const entry of reference.json.tokenizer?.decodes ?? []) {
    same('decode', entry.ids.join(' '), tokenizer.decode(entry.ids, { skipSpecialTokens: false }), entry.decoded);
    same(
      'decode',
      entry.ids.join(' '),
      tokenizer.decode(entry.ids, { skipSpecialTokens: true }),
      entry.decoded_skip_special,
    );
  }
}

function checkChats(model: LanguageModel, tokenizer: Tokenizer, reference: Reference, comparer: Comparer): void {
  const chats: ExpectedChat[] = [...(reference.json.chats ?? []), ...(reference.json.tokenizer?.chats ?? [])];
  if (chats.length === 0) return;
  const template = loadChatTemplate(model.folder);
  for (const [i, chat] of chats.entries()) {
    const text = template.render(chat.messages, { addGenerationPrompt: chat.add_generation_prompt ?? false });
    const expected = chat.rendered ?? chat.text;
    if (expected !== undefined) comparer.record('chats', `chat ${i}`, text === expected ? 0 : 1, 0);
    if (chat.ids !== undefined) {
      const ids = [...tokenizer.encode(text, { addSpecialTokens: false })];
      comparer.record('chats', `chat ${i} ids`, isDeepStrictEqual(ids, chat.ids) ? 0 : 1, 0);
    }
  }
}
