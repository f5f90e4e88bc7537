/**
 * How the next token of a completion is best chosen between base and actions: over held-out code, place by place, without
 * writing anything. Writes `docs/results/vote.md`. The texts begin behind those of the measure `choice`.
 *
 * Usage: tsx scripts/results/vote.ts [MODEL] [--sequences 48] [--from 700]
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { codebook, headOn, worldModel } from '../../server/cola/modules.ts';
import { openDevice } from '../../server/device/device.ts';
import { clusteredMean } from '../../server/evaluate/choice/statistics.ts';
import { Subject } from '../../server/evaluate/subject.ts';
import { heldOutText } from '../../server/evaluate/text.ts';
import { logSoftmax } from '../../server/graph/functions.ts';
import * as ops from '../../server/graph/ops.ts';
import type { Tensor } from '../../server/graph/tensor.ts';
import { languageHead } from '../../server/model/base.ts';
import { resolveModel } from '../../server/spec/document.ts';
import { readText } from '../../server/train/measures/states.ts';
import { heldOutFiles } from '../corpus/held-out.ts';
import { CORPUS, writeRows } from '../corpus/rows.ts';

const length = 256;

/** A place: the token that follows, the three that are voted on, and what speaks for each. */
interface VotePlace {
  readonly sequence: number;
  readonly truth: number;
  readonly tokens: readonly number[];
  /** pi of the two likeliest actions. */
  readonly shares: readonly number[];
  /** p of the three tokens under the base, and under either action. */
  readonly base: readonly number[];
  readonly under: readonly (readonly number[])[];
}

/** What a token is worth, by its index. */
type Rule = (place: VotePlace, index: number) => number;

const marginal: Rule = ({ shares, under }, i) => shares[0] * under[0][i] + shares[1] * under[1][i];
const whole: Rule = ({ shares, tokens }, i) =>
  shares.reduce((sum, share, k) => sum + (tokens[k] === tokens[i] ? share : 0), 0);
const mixed =
  (of: Rule, weight: (place: VotePlace) => number): Rule =>
  (place, i) =>
    place.base[i] + weight(place) * of(place, i);

const rules: readonly (readonly [string, Rule])[] = [
  ['base alone', (place, i) => place.base[i]],
  ['pi(a) for the token that a leads to, weight 1 (before)', mixed(whole, () => 1)],
  ['the same, weight 0.5', mixed(whole, () => 0.5)],
  ['pi(a) p(token given a), weight 2', mixed(marginal, () => 2)],
  ['the same, weight 1', mixed(marginal, () => 1)],
  ['the same, weight 0.5', mixed(marginal, () => 0.5)],
  ['the same, weight pi of the likeliest action', mixed(marginal, ({ shares }) => shares[0])],
  ['the same, that and at least 0.5 (now)', mixed(marginal, ({ shares }) => Math.max(0.5, shares[0]))],
];

async function places(subject: Subject, sequences: number, from: number, text: string): Promise<VotePlace[]> {
  const cola = subject.with('world', 'policy');
  if (cola === undefined) throw new Error('the model has no latent actions');
  const all = await heldOutText({ data: text, held_out: text }, subject.context, length, from + sequences);
  const first = Math.max(0, all.count - sequences);
  const ids = all.ids.subarray(first * length);
  const found: VotePlace[] = [];
  await readText(
    subject,
    { ids, count: ids.length / length, length },
    {
      chunk: 4,
      build: ({ graph, config, context, h, ids: read }) => {
        const before = (x: Tensor) => ops.slice(x, 1, 0, length - 1);
        const logits = before(headOn(graph, config, cola.config, 'policy', h, context));
        const pi = ops.softmax(logits);
        const likeliest = ops.argmax(logits);
        const others = ops.where(ops.greater(ops.max(logits, [-1], true), logits), logits, graph.scalar(-1e30));
        const actions = [likeliest, ops.argmax(others)];
        const book = codebook(graph, config, cola.config);
        const worlds = actions.map((a) => worldModel(graph, config, cola.config, before(h), ops.gather(book, a)));
        const models = [languageHead(graph, config, before(h)), ...worlds].map(logSoftmax);
        const tokens = [models[1], models[2], models[0]].map(ops.argmax);
        return Object.fromEntries([
          ['truth', ops.slice(read, 1, 1, length)],
          ...actions.map((a, k) => [`share${k}`, ops.pick(pi, a)]),
          ...tokens.map((token, i) => [`token${i}`, token]),
          ...models.flatMap((model, m) => tokens.map((token, i) => [`p${m}${i}`, ops.exp(ops.pick(model, token))])),
        ]);
      },
      take: (values, start, count) => {
        const three = [0, 1, 2];
        for (let at = 0; at < count * (length - 1); at++)
          found.push({
            sequence: start + Math.floor(at / (length - 1)),
            truth: values.ints('truth')[at],
            tokens: three.map((i) => values.ints(`token${i}`)[at]),
            shares: [0, 1].map((k) => values.floats(`share${k}`)[at]),
            base: three.map((i) => values.floats(`p0${i}`)[at]),
            under: [1, 2].map((m) => three.map((i) => values.floats(`p${m}${i}`)[at])),
          });
      },
    },
  );
  return found;
}

const chosen = (rule: Rule, place: VotePlace): number => {
  const worth = place.tokens.map((_, i) => rule(place, i));
  return worth.indexOf(Math.max(...worth));
};

function votePage(found: readonly VotePlace[], model: string): string {
  const clusters = found.map(({ sequence }) => sequence);
  const hits = (rule: Rule) => found.map((place) => +(place.tokens[chosen(rule, place)] === place.truth));
  const alone = hits(rules[0][1]);
  const points = (x: number) => `${x > 0 ? '+' : ''}${(100 * x).toFixed(2)}`;
  const rows = rules.map(([name, rule]) => {
    const own = hits(rule);
    const { mean } = clusteredMean(own, clusters);
    const against = clusteredMean(
      own.map((hit, i) => hit - alone[i]),
      clusters,
    );
    const nats = found.map((place) => -Math.log(Math.max(1e-9, place.base[chosen(rule, place)])));
    const interval = `${points(against.mean)} (${points(against.low)} to ${points(against.high)})`;
    return `| ${name} | ${(100 * mean).toFixed(2)} % | ${interval} | ${clusteredMean(nats, clusters).mean.toFixed(3)} |`;
  });
  return [
    '# How the next token is chosen',
    `Written by \`npx tsx scripts/results/vote.ts\`. ${model} at ${found.length} places of ${new Set(clusters).size} pieces of held-out code, none of which the measure \`choice\` looks at. Three tokens are voted on: those that the policy's two likeliest actions lead to, and the base's likeliest. Each has p under the base, and the weight times what the actions say for it.`,
    [
      '| what the actions say, and its weight | the author’s token | points more than the base alone, 95 % | nats under the base |',
      '|---|---:|---:|---:|',
      ...rows,
    ].join('\n'),
    'An action counts by pi(a) p(token given a), as in the marginal language model, for where the world model is unsure of its token the action says little. Where the policy is sure, a half of it would be too little: a policy that was reinforced or tuned would not be heard against a sure base. So it counts by how sure it is, and a half at least.',
    '',
  ].join('\n\n');
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { sequences: { type: 'string', default: '48' }, from: { type: 'string', default: '700' } },
  });
  const name = positionals[0] ?? 'builtin:nano';
  await mkdir(CORPUS, { recursive: true });
  const text = resolve(CORPUS, 'heldout-code.jsonl');
  await writeRows(
    text,
    (await heldOutFiles(join(CORPUS, 'packages'))).filter(({ kind }) => kind !== 'md'),
  );
  const { device } = await openDevice('cpu', { threads: 1 });
  const subject = await Subject.load(device, resolveModel(name, resolve('from')), {
    cacheFolder: join('.cola', 'cache'),
  });
  try {
    const found = await places(subject, Number(values.sequences), Number(values.from), text);
    await writeFile(join('docs', 'results', 'vote.md'), votePage(found, name));
  } finally {
    subject.dispose();
    await device.dispose();
  }
}

await main();
