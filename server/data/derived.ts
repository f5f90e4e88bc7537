/**
 * Published shapes whose rows are more than columns with a role each: answers that were ranked or judged in pairs, choices,
 * conversations over several columns. Each is read into the columns of a plainer shape.
 */
import { type Columns, columnAt } from '../schemas/columns.ts';
import { choices } from './choices.ts';
import { type Message, messagesFrom } from './conversation.ts';
import { otherShapes } from './derived-others.ts';
import { asked, type Derived, type DerivedShape, isObject, isText, questions } from './derived-shape.ts';
import { countdownPrompt } from './generators/countdown.ts';

/** Two answers beside each other, by the names that they have. */
const pairs: readonly (readonly [string, string])[] = [
  ['response_0', 'response_1'],
  ['response_1', 'response_2'],
  ['response1', 'response2'],
  ['response_a', 'response_b'],
  ['answer_0', 'answer_1'],
  ['human_ref_A', 'human_ref_B'],
];

/** Which of the two was preferred, 0 or 1; undefined for neither. */
function preferred(row: Columns): 0 | 1 | undefined {
  const { better_response_id, labels, winner, choice } = row;
  if (better_response_id === 0 || better_response_id === 1) return better_response_id;
  // Stanford's preferences: 1 where the first one was liked better.
  if (labels === 0 || labels === 1) return labels === 1 ? 0 : 1;
  if (choice === 0 || choice === 1) return choice;
  if (row.winner_model_a === 1 || row.winner_model_b === 1) return row.winner_model_a === 1 ? 0 : 1;
  if (isText(winner)) return /(?:^|_)(?:a|0)$/i.test(winner) ? 0 : /(?:^|_)(?:b|1)$/i.test(winner) ? 1 : undefined;
  // Below nought the first one was liked better, by so much.
  const strength = row.preference_strength ?? row.overall_preference;
  if (typeof strength === 'number') return strength === 0 ? undefined : strength < 0 ? 0 : 1;
  const [first, second] = [row.score_0, row.score_1];
  if (typeof first !== 'number' || typeof second !== 'number' || first === second) return undefined;
  return first > second ? 0 : 1;
}

/** The texts of a list as JSON. */
function textsIn(value: unknown): string[] | undefined {
  if (!isText(value) || !/^\s*\[\s*"/.test(value)) return undefined;
  try {
    const list: unknown = JSON.parse(value);
    return Array.isArray(list) && list.length > 0 && list.every(isText) ? list : undefined;
  } catch {
    return undefined;
  }
}

/** Two conversations whose turns are lists as JSON (Arena): what was asked, and what each answered; the last answers differ. */
function severalTurns(
  row: Columns,
  [first, second]: readonly [string, string],
  better: 0 | 1 | undefined,
): Derived | undefined {
  const [asked, a, b] = [row.prompt, row[first], row[second]].map(textsIn);
  if (asked === undefined || a === undefined || b === undefined) return undefined;
  if (a.length !== asked.length || b.length !== asked.length) return undefined;
  const [good, bad] = better === 1 ? [b, a] : [a, b];
  const prompt = asked.flatMap((content, i) => [
    { role: 'user', content },
    ...(i < asked.length - 1 ? [{ role: 'assistant', content: good[i] }] : []),
  ]);
  const rejected = better === undefined ? {} : { rejected: bad[bad.length - 1] };
  return {
    prompt,
    response: good[good.length - 1],
    ...rejected,
    from: { prompt: 'prompt', response: first, rejected: second },
  };
}

const judgedPairs: DerivedShape = {
  name: 'two answers and which was preferred',
  columns: pairs.flat(),
  derive: (row) => {
    const pair = pairs.find((names) => names.every((name) => isText(row[name])));
    const question = asked(row, questions);
    if (question === undefined || pair === undefined) return undefined;
    const better = preferred(row);
    const turns = severalTurns(row, pair, better);
    if (turns !== undefined) return turns;
    const [chosen, rejected] = better === 1 ? [pair[1], pair[0]] : pair;
    return {
      prompt: question.value,
      response: String(row[chosen]),
      // Of two that are equally good each may be learned, and none is worse.
      ...(better === undefined ? {} : { rejected: String(row[rejected]) }),
      from: { prompt: question.column, response: pair[0], rejected: pair[1] },
    };
  },
};

/** Names of what an answer in a list says, and of how good it is: the higher the better, but for ranks. */
const sayings = ['answer', 'response', 'text', 'completion', 'content', 'output'];
const scores = ['overall_score', 'score', 'pm_score', 'rating', 'fine-grained_score'];

interface Judged {
  readonly text: string;
  readonly score: number | undefined;
}

function judgedOf(value: unknown): Judged | undefined {
  if (!isObject(value)) return undefined;
  const text = sayings.map((name) => value[name]).find(isText);
  if (text === undefined) return undefined;
  if (typeof value.rank === 'number') return { text, score: -value.rank };
  const score = scores.map((name) => value[name]).find((one) => typeof one === 'number');
  return { text, score: typeof score === 'number' ? score : undefined };
}

/** The best and the worst of several answers; without scores the first, and none that is worse. */
function extremes(list: readonly Judged[]): Pick<Derived, 'response' | 'rejected'> {
  const scored = list.filter((one): one is Judged & { score: number } => one.score !== undefined);
  if (scored.length === 0) return { response: list[0].text };
  const best = scored.reduce((a, b) => (b.score > a.score ? b : a));
  const worst = scored.reduce((a, b) => (b.score < a.score ? b : a));
  return { response: best.text, ...(worst.score < best.score ? { rejected: worst.text } : {}) };
}

const lists = ['completions', 'answers', 'responses', 'generations'];

const rankedAnswers: DerivedShape = {
  name: 'a question and answers that were judged',
  columns: lists,
  derive: (row) => {
    const question = asked(row, questions);
    for (const column of lists) {
      const value = row[column];
      if (question === undefined || !Array.isArray(value) || value.length === 0) continue;
      // Ratings may stand in a list of their own.
      const ratings = row.rating ?? row.ratings ?? row.scores;
      const judged = value.map((one, i) =>
        isText(one) && Array.isArray(ratings)
          ? { text: one, score: typeof ratings[i] === 'number' ? ratings[i] : undefined }
          : judgedOf(one),
      );
      if (!judged.every((one) => one !== undefined)) continue;
      const from = { prompt: question.column, response: column, rejected: column };
      return { prompt: question.value, ...extremes(judged), from };
    }
    return undefined;
  },
};

/** Summaries of a post that people compared, or gave marks. */
const summaries: DerivedShape = {
  name: 'a post and its summaries',
  columns: ['info', 'summaries', 'summary'],
  derive: (row) => {
    const post = ['info.post', 'info.article'].find((name) => isText(columnAt(row, name)));
    if (post === undefined) return undefined;
    const prompt = String(columnAt(row, post));
    const alone = columnAt(row, 'summary.text');
    if (isText(alone)) return { prompt, response: alone, from: { prompt: post, response: 'summary.text' } };
    const said = Array.isArray(row.summaries) ? row.summaries.map((one) => judgedOf(one)?.text) : [];
    if (said.length !== 2 || !said.every(isText) || (row.choice !== 0 && row.choice !== 1)) return undefined;
    const from = { prompt: post, response: 'summaries', rejected: 'summaries' };
    return { prompt, response: said[row.choice], rejected: said[1 - row.choice], from };
  },
};

/** A conversation of which every message has a column of its own. */
const numbered: DerivedShape = {
  name: 'messages in columns of their own',
  columns: ['message_1', 'message_2'],
  derive: (row) => {
    const said: Message[] = [];
    for (let i = 1; i <= 1000; i++) {
      const value = row[`message_${i}`];
      const content = isObject(value) ? value.content : value;
      if (!isText(content)) break;
      const role = isObject(value) && (value.role === 'user' || value.role === 'assistant') ? value.role : undefined;
      said.push({ role: role ?? (i % 2 === 1 ? 'user' : 'assistant'), content });
    }
    if (said.length < 2) return undefined;
    const from = { messages: said.length === 2 ? 'message_1 and message_2' : `message_1 to message_${said.length}` };
    return { messages: said, from };
  },
};

/** Numbers and a target, without words: the question is put as the task `countdown` puts it. */
const countdown: DerivedShape = {
  name: 'countdown',
  columns: ['target', 'nums'],
  derive: (row) => {
    const column = ['nums', 'numbers'].find((name) => Array.isArray(row[name]));
    const numbers: unknown = column === undefined ? undefined : row[column];
    if (column === undefined || !Array.isArray(numbers) || numbers.length < 2 || row.prompt !== undefined)
      return undefined;
    if (!numbers.every(Number.isSafeInteger) || !Number.isSafeInteger(row.target)) return undefined;
    const prompt = countdownPrompt(numbers as number[], row.target as number);
    return { prompt, from: { prompt: `target and ${column}` } };
  },
};

/** A question with several solutions, which are a list, or one as JSON in a text. */
const solutions: DerivedShape = {
  name: 'a problem and its solutions',
  columns: ['solutions'],
  derive: (row) => {
    const question = asked(row, ['question', 'description', 'problem_description', 'problem']);
    const column = ['solutions', 'solutions.solution'].find((name) => firstText(columnAt(row, name)) !== undefined);
    const response = column === undefined ? undefined : firstText(columnAt(row, column));
    if (question === undefined || column === undefined || response === undefined) return undefined;
    return { prompt: question.value, response, from: { prompt: question.column, response: column } };
  },
};

function firstText(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.find(isText);
  if (!isText(value) || !/^\s*\[/.test(value)) return undefined;
  try {
    return firstText(JSON.parse(value));
  } catch {
    return undefined;
  }
}

/** Questions of which the second goes on from an answer that is not there: the first can be asked. */
const firstTurn: DerivedShape = {
  name: 'turns of the user alone, of which the first is asked',
  columns: ['turns'],
  derive: (row) => {
    const { turns, reference, references } = row;
    if (!Array.isArray(turns) || turns.length === 0) return undefined;
    const said: unknown[] = turns.map((turn: unknown) =>
      isObject(turn) && Object.keys(turn).length === 1 ? turn.content : turn,
    );
    if (!said.every(isText)) return undefined;
    if (!('question_id' in row || 'reference' in row || 'references' in row || 'category' in row)) return undefined;
    const right = firstText(reference ?? references);
    return {
      prompt: said[0],
      ...(right === undefined ? {} : { response: right, answer: right }),
      from: { prompt: 'turns', ...(right === undefined ? {} : { answer: 'reference' }) },
    };
  },
};

/** A prompt and its answer under the name `label`, which elsewhere is a mark. */
const labelled: DerivedShape = {
  name: 'prompt and label',
  columns: ['prompt', 'label'],
  derive: (row) => {
    const others = ['completion', 'response', 'chosen', 'output', 'answer', 'solution'];
    if (!isText(row.prompt) || !isText(row.label) || others.some((name) => isText(row[name]))) return undefined;
    return { prompt: row.prompt, response: row.label, from: { prompt: 'prompt', response: 'label' } };
  },
};

/** Two conversations that begin alike, and which was preferred: the last answers are compared. */
const arena: DerivedShape = {
  name: 'two conversations and which was preferred',
  columns: ['conversation_a', 'conversation_b', 'preferred_output', 'non_preferred_output'],
  derive: (row) => {
    const [a, b] = [row.conversation_a, row.conversation_b].map((value) =>
      Array.isArray(value) ? messagesFrom(value) : undefined,
    );
    const better = preferred(row);
    if (a !== undefined && b !== undefined && better !== undefined) {
      const [good, bad] = better === 0 ? [a, b] : [b, a];
      const [response, rejected] = [good.at(-1), bad.at(-1)];
      if (response?.role !== 'assistant' || rejected?.role !== 'assistant') return undefined;
      return {
        prompt: good.slice(0, -1),
        response: response.content,
        rejected: rejected.content,
        from: { prompt: 'conversation_a', response: 'conversation_a', rejected: 'conversation_b' },
      };
    }
    // OpenAI's form of preferences.
    const question = columnAt(row, 'input.messages');
    const prompt = Array.isArray(question) ? messagesFrom(question) : undefined;
    const [liked, other] = [row.preferred_output, row.non_preferred_output].map((value) =>
      Array.isArray(value) ? messagesFrom(value)?.at(-1)?.content : undefined,
    );
    if (prompt === undefined || liked === undefined) return undefined;
    const from = { prompt: 'input.messages', response: 'preferred_output', rejected: 'non_preferred_output' };
    return { prompt, response: liked, ...(other === undefined ? {} : { rejected: other }), from };
  },
};

/** A right answer beside wrong ones, which are no answer to learn (SciQ, GPQA). */
const distractors: DerivedShape = {
  name: 'a question, its right answer and wrong ones',
  columns: ['correct_answer', 'Correct Answer'],
  derive: (row) => {
    const question = asked(row, ['question', 'Question']);
    const right = ['correct_answer', 'Correct Answer'].find((name) => isText(row[name]));
    if (question === undefined || right === undefined) return undefined;
    const said = String(row[right]).trim();
    return {
      prompt: question.value,
      response: said,
      answer: said,
      from: { prompt: question.column, response: right, answer: right },
    };
  },
};

/** A task with examples of what goes in and comes out (Self-Instruct): the first is asked. */
const instances: DerivedShape = {
  name: 'a task and its instances',
  columns: ['instruction', 'instances'],
  derive: (row) => {
    const [first] = Array.isArray(row.instances) ? row.instances : [];
    if (!isText(row.instruction) || !isObject(first) || !isText(first.output)) return undefined;
    const prompt = isText(first.input) ? `${row.instruction}\n\n${first.input}` : row.instruction;
    return { prompt, response: first.output, from: { prompt: 'instruction and instances', response: 'instances' } };
  },
};

/** A text in segments, of which some are learned and the others only read (axolotl's `input_output`). */
const segments: DerivedShape = {
  name: 'segments',
  columns: ['segments'],
  derive: ({ segments: list }) => {
    if (!Array.isArray(list) || list.length === 0) return undefined;
    const parts = list.flatMap((one) =>
      isObject(one) && typeof one.text === 'string' && typeof one.label === 'boolean'
        ? { text: one.text, learned: one.label }
        : [],
    );
    return parts.length === list.length ? { parts, from: { text: 'segments' } } : undefined;
  },
};

/** In the order in which they are tried, before plainer ones. */
export const derivedShapes: readonly DerivedShape[] = [
  segments,
  arena,
  judgedPairs,
  rankedAnswers,
  summaries,
  choices,
  distractors,
  instances,
  numbered,
  countdown,
  solutions,
  firstTurn,
  labelled,
  ...otherShapes,
];
