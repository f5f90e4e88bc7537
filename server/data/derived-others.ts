/** Published shapes that are of one data set or a few, read into the columns of a plainer shape. */
import { type Columns, columnAt } from '../schemas/columns.ts';
import { callText, type Message, toolsText } from './conversation.ts';
import { type Derived, type DerivedShape, isObject, isText, listOf } from './derived-shape.ts';

interface Reply {
  readonly text: string;
  readonly role: string;
  /** The lower the better. */
  readonly rank: number;
  readonly replies: readonly unknown[];
}

function replyOf(value: unknown): Reply | undefined {
  if (!isObject(value) || !isText(value.text) || !isText(value.role) || value.deleted === true) return undefined;
  const rank = typeof value.rank === 'number' ? value.rank : Number.POSITIVE_INFINITY;
  return { text: value.text, role: value.role, rank, replies: Array.isArray(value.replies) ? value.replies : [] };
}

/** The replies of a message, the best first. */
const repliesOf = ({ replies }: Reply): Reply[] =>
  replies.flatMap((one) => replyOf(one) ?? []).sort((a, b) => (a.rank === b.rank ? 0 : a.rank - b.rank));

/** A tree of messages (OpenAssistant): the best replies up to the last answer, beside the worst to the same question. */
const tree: DerivedShape = {
  name: 'a tree of replies',
  columns: ['prompt'],
  derive: (row) => {
    const root = replyOf(row.prompt);
    if (root === undefined || !isObject(row.prompt) || !Array.isArray(row.prompt.replies)) return undefined;
    const said: Message[] = [];
    let last: { readonly at: number; readonly best: Reply; readonly worst: Reply } | undefined;
    for (let at: Reply | undefined = root; at !== undefined; ) {
      said.push({ role: at.role === 'assistant' ? 'assistant' : 'user', content: at.text });
      const next: readonly Reply[] = repliesOf(at);
      const [best, worst] = [next[0], next.at(-1)];
      if (best?.role === 'assistant' && worst !== undefined) last = { at: said.length, best, worst };
      at = best;
    }
    const from = { prompt: 'prompt', response: 'prompt.replies' };
    if (last === undefined) return { prompt: said, from };
    const { best, worst, at } = last;
    const rejected = worst.rank > best.rank && worst.rank < Number.POSITIVE_INFINITY ? { rejected: worst.text } : {};
    return { prompt: said.slice(0, at), response: best.text, ...rejected, from };
  },
};

/** A change of a file (CommitPack): the file before it and what is to be done give the file behind it. */
const commit: DerivedShape = {
  name: 'a file before and after a commit',
  columns: ['old_contents', 'new_contents'],
  derive: (row) => {
    const wish = ['subject', 'message'].find((name) => isText(row[name]));
    if (wish === undefined || typeof row.old_contents !== 'string' || !isText(row.new_contents)) return undefined;
    const prompt = [row.old_contents, String(row[wish])].filter(isText).join('\n\n');
    return {
      prompt,
      response: row.new_contents,
      from: { prompt: `old_contents and ${wish}`, response: 'new_contents' },
    };
  },
};

/** A question, the tools there are and the calls that answer it (xLAM), in the words that Hermes was trained on. */
const calls: DerivedShape = {
  name: 'a question, tools and calls',
  columns: ['query', 'tools', 'answers'],
  derive: (row) => {
    const [tools, made] = [listOf(row.tools), listOf(row.answers)];
    if (!isText(row.query) || tools === undefined || made === undefined || made.length === 0) return undefined;
    const texts = made.map(callText);
    if (!texts.every((text) => text !== undefined)) return undefined;
    const messages: Message[] = [
      { role: 'system', content: toolsText(tools) },
      { role: 'user', content: row.query },
      { role: 'assistant', content: texts.join('\n') },
    ];
    return { messages, from: { messages: 'tools, query and answers' } };
  },
};

/** A question with answers and which are true (TruthfulQA): the first true one, as the right one always stands first there. */
const targets: DerivedShape = {
  name: 'a question and answers that are true or not',
  columns: ['mc1_targets', 'mc2_targets'],
  derive: (row) => {
    const column = ['mc1_targets', 'mc2_targets'].find((name) => isObject(row[name]));
    const { choices, labels } = (column === undefined ? {} : row[column]) as Columns;
    if (column === undefined || !isText(row.question) || !Array.isArray(choices) || !Array.isArray(labels))
      return undefined;
    const right: unknown = choices[labels.indexOf(1)];
    if (!isText(right)) return undefined;
    return {
      prompt: row.question,
      response: right,
      answer: right,
      from: { prompt: 'question', response: column, answer: column },
    };
  },
};

/** A post and its answers with the votes they got, both as lists (ELI5). */
const voted: DerivedShape = {
  name: 'a post and answers with votes',
  columns: ['title', 'answers'],
  derive: (row) => {
    const [texts, votes] = [columnAt(row, 'answers.text'), columnAt(row, 'answers.score')];
    if (!isText(row.title) || !Array.isArray(texts) || !Array.isArray(votes) || texts.length !== votes.length)
      return undefined;
    const order = votes.map((_, i) => i).sort((a, b) => Number(votes[b]) - Number(votes[a]));
    const [best, worst] = [order[0], order.at(-1) ?? 0].map((i): unknown => texts[i]);
    if (!isText(best) || !isText(worst)) return undefined;
    const prompt = [row.title, row.selftext].filter(isText).join('\n\n');
    const less = Number(votes[order.at(-1) ?? 0]) < Number(votes[order[0]]);
    const from = { prompt: 'title', response: 'answers.text', rejected: 'answers.text' };
    return { prompt, response: best, ...(less ? { rejected: worst } : {}), from };
  },
};

/** A question that is answered by truth (BoolQ, StrategyQA): in words, as people and models answer. */
const yesOrNo: DerivedShape = {
  name: 'a question of yes or no',
  loose: true,
  columns: ['question', 'answer'],
  derive: (row) => {
    if (!isText(row.question) || typeof row.answer !== 'boolean') return undefined;
    // Where truth is what is asked for, it is said.
    const asked = /\btrue\b|\bfalse\b/i.test(row.question);
    const [word, other] = row.answer ? ['yes', 'true'] : ['no', 'false'];
    const capital = (text: string) => text[0].toUpperCase() + text.slice(1);
    const passage = ['passage', 'context'].find((name) => isText(row[name]));
    const prompt = passage === undefined ? row.question : `${row.question}\n\n${row[passage]}`;
    return {
      prompt,
      response: asked ? other : word,
      answer: (asked ? [other, word] : [word, other]).flatMap((each) => [each, capital(each)]),
      from: {
        prompt: passage === undefined ? 'question' : `question and ${passage}`,
        response: 'answer',
        answer: 'answer',
      },
    };
  },
};

/** A prompt and its text (Cosmopedia), where nothing else answers it. */
const written: DerivedShape = {
  name: 'prompt and text',
  loose: true,
  columns: ['prompt', 'text'],
  derive: (row): Derived | undefined => {
    if (!isText(row.prompt) || !isText(row.text) || Object.keys(row).some((name) => answering.has(name)))
      return undefined;
    // Some have the prompt in the text once more.
    const response = row.text.startsWith(row.prompt) ? row.text.slice(row.prompt.length) : row.text;
    return isText(response)
      ? { prompt: row.prompt, response, from: { prompt: 'prompt', response: 'text' } }
      : undefined;
  },
};
const answering: ReadonlySet<string> = new Set([
  ...['completion', 'response', 'chosen', 'output', 'answer', 'solution', 'code', 'messages', 'label', 'reward_model'],
  ...['ground_truth', 'final_answer', 'expected_answer', 'canonical_solution'],
]);

export const otherShapes: readonly DerivedShape[] = [tree, commit, calls, targets, voted, yesOrNo, written];

/** Rows that are pieces of what could be learned, or many in one: what they are, and the way on. */
const pieces: readonly { is(row: Columns): boolean; readonly what: string; way(file: string): string }[] = [
  {
    is: (row) => isText(row.text) && isText(row.role) && 'parent_id' in row && 'message_tree_id' in row,
    what: 'a single message of a tree, with its parent in another row',
    way: (file) =>
      `Take the file of whole trees (trees.jsonl.gz in OpenAssistant), or one with a conversation in each row. To learn every message as a text of its own, write { jsonl: ${file}, columns: { text: text } }.`,
  },
  {
    is: ({ paragraphs }) =>
      Array.isArray(paragraphs) && paragraphs.some((one) => isObject(one) && Array.isArray(one.qas)),
    what: 'a list of paragraphs with their questions inside (SQuAD as it was published)',
    way: (file) =>
      `Write one question a row: jq -c '(.data? // [.])[].paragraphs[] | .context as $c | .qas[] | {context: $c, question, answer: (.answers[0].text // "")}' ${file} > questions.jsonl`,
  },
];

/** What a row is that holds no row to learn from by itself, and the way on; undefined for all others. */
export function pieceOf(row: Columns, file: string): { readonly what: string; readonly way: string } | undefined {
  const found = pieces.find(({ is }) => is(row));
  return found === undefined ? undefined : { what: found.what, way: found.way(file) };
}
