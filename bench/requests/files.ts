/** Files of 5 MB of every shape that takes a parser long, and their beginnings just as long as a run spec may be. */
import { specLimits } from '../../server/spec/limits.ts';

/** Bytes of a file that is asked about. */
export const size = 5_000_000;

const filled = (part: string) => part.repeat(Math.ceil(size / part.length)).slice(0, size);
/** Lines until there are enough bytes. */
function lines(line: (i: number) => string): string {
  const all: string[] = [];
  for (let length = 0, i = 0; length < size; i++) {
    const next = `${line(i)}\n`;
    all.push(next);
    length += next.length;
  }
  return all.join('').slice(0, size);
}

const good = 'model: builtin:nano\nseed: 7\nstages:\n';
const stage = '  - clone: { data: a.txt, tokens: 1e6 } # as ever\n';

/** Texts in YAML. */
export const documents: Readonly<Record<string, string>> = {
  'deep: brackets': filled('['),
  'deep: dashes': filled('- '),
  'deep: mappings': lines((i) => `${' '.repeat(i)}a:`),
  'wide: one list': `a: [${filled('a, ')}`,
  'wide: one mapping': `a: {${lines((i) => `k${i}: 1,`)}`,
  'one line: a scalar': `a: ${filled('x')}`,
  'one line: a quoted scalar': `a: "${filled('\\n')}"`,
  'one line: closing brackets': filled(']'),
  'aliases: each ten of the one before': lines((i) => `a${i}: &a${i} [${`*a${i - 1}, `.repeat(10)}]`),
  'aliases: of one': `a: &a [x, x, x]\nb: [${filled('*a, ')}`,
  'aliases: anchors alone': filled('&a '),
  'many keys': lines((i) => `k${i}: 1`),
  'many keys with one misspelt name': `stages:\n${lines(() => '  - clone: {dta: a}')}`,
  'plain: a spec of many stages': good + lines(() => stage.trimEnd()),
  'plain: a spec and comments': `${good}${stage}${lines((i) => `# line ${i}`)}`,
  'plain: a spec and blanks': `${good}${stage}${filled(' \n')}`,
  'plain: a text': `a: |\n${lines(() => '  a line of words that say nothing')}`,
  'plain: unfinished': filled('a: "'),
};

/** As much of a text as a spec may have, and less where that is more words than it may have. */
export function cut(text: string, share = 1): string {
  return text.slice(0, Math.floor(specLimits.characters * share));
}

/** What stands in place of a file of a run. */
export const logs: Readonly<Record<string, string>> = {
  metrics: lines((i) => JSON.stringify({ step: i, stage: 'clone', loss: 2.5, reward: 0.25, seconds: 1.5, entropy: 3 })),
  usage: lines((i) => JSON.stringify({ step: i, stage: 'clone', usage: Array.from({ length: 64 }, (_, k) => k + i) })),
  samples: lines((i) => JSON.stringify({ step: i, stage: 'clone', prompt: 'a b', completion: 'c', actions: [1, 2] })),
  'many keys a line': lines((i) =>
    JSON.stringify({
      step: i,
      stage: 'clone',
      ...Object.fromEntries(Array.from({ length: 500 }, (_, k) => [`m${k}`, k])),
    }),
  ),
  'one line of keys': JSON.stringify(Object.fromEntries(Array.from({ length: 350_000 }, (_, i) => [`k${i}`, 1]))),
  'deep JSON': filled('['),
  'empty lines': filled('\n'),
  'empty objects': filled('{}\n'),
  'broken lines': filled('{\n'),
  'one line': filled('x'),
  'many keys': lines((i) => `k${i}: 1`),
  'log lines': lines((i) => `2026-11-28T10:00:00.000Z message: step ${i}`),
};

const long = 'Nadia has 2 boxes of 12 pens and gives away 5. How many are left?';

/** Files of rows, by name. */
export const rows: Readonly<Record<string, string>> = {
  'lines.jsonl': lines((i) => JSON.stringify({ question: long, answer: `2 * 12 - 5 = 19 #### ${i}` })),
  'short.jsonl': lines(() => '{"text":"a"}'),
  'chats.jsonl': lines((i) =>
    JSON.stringify({
      messages: [
        { role: 'user', content: long },
        { role: 'assistant', content: `${i}` },
      ],
    }),
  ),
  'list.json': `[${lines((i) => `${JSON.stringify({ question: long, answer: String(i) })},`)}{}]`,
  'table.csv': `question,answer\n${lines((i) => `"${long}",${i}`)}`,
  'wide.csv': `${filled('a,')}\n${filled('1,')}`,
  'quote.csv': `question,answer\n"${filled('a,\n')}`,
  'table.tsv': `question\tanswer\n${lines((i) => `${long}\t${i}`)}`,
  'one-line.jsonl': `{"text": "${filled('x')}"}`,
  'deep.jsonl': filled('['),
  'deep.json': `{"a": ${filled('{"a":')}`,
  'broken.jsonl': filled('{\n'),
  'keys.jsonl': JSON.stringify(Object.fromEntries(Array.from({ length: 350_000 }, (_, i) => [`k${i}`, 1]))),
  'numbers.json': `[${filled('1,')}1]`,
};
