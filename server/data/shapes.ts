/** Which column plays which role in the shapes that data sets are published in. */
import { z } from 'zod';
import { type Columns, columnAt, columnNames } from '../schemas/columns.ts';
import { messagesFrom } from './conversation.ts';
import { derivedShapes } from './derived.ts';
import type { Derived } from './derived-shape.ts';

/** Which column of a file plays which role. Exactly one of `text`, `prompt` and `messages`. */
export const columnMap = z
  .strictObject({
    text: z.string().optional(),
    prompt: z.string().optional(),
    /** Added to the prompt where it is not empty (Alpaca). */
    input: z.string().optional(),
    /** What the system says before the prompt. */
    system: z.string().optional(),
    /** Turns before the prompt: pairs of a question and its answer (LLaMA-Factory), or messages. */
    history: z.string().optional(),
    response: z.string().optional(),
    answer: z.string().optional(),
    messages: z.string().optional(),
    /** The answer that was not preferred. Beside messages that are plain text: what they share with it is the prompt. */
    rejected: z.string().optional(),
  })
  .readonly();
export type ColumnMap = z.infer<typeof columnMap>;
export type Role = keyof ColumnMap;

/** Columns that may play a role, the first one that a row has does; `required` are roles that every row must have. */
export interface ColumnPlan {
  readonly columns: Readonly<Partial<Record<Role, readonly string[]>>>;
  readonly required: ReadonlySet<Role>;
  /** Makes the columns of rows that are more than columns with a role each; undefined for a row that is none of them. */
  readonly derive?: {
    readonly of: readonly string[];
    /** Whether rows that are none of them may be read by their columns. */
    readonly loose: boolean;
    readonly row: (row: Columns) => Derived | undefined;
  };
}

/** Columns with the whole of a result, as rewards compare with. */
const answers = [
  'answer',
  'reward_model.ground_truth',
  'reward_model.ground_truth.target',
  'ground_truth',
  'final_answer',
  'expected_answer',
  'golden_answers',
  'answer.value',
  'answers.text',
  'answers',
  'answers_spans.spans',
  'final_decision',
  'gold_standard_solution',
  'extra_info.answer',
];
const systems = ['system', 'system_prompt', 'systemInstruction.parts', 'system_instruction.parts'];
const histories = ['history', 'chat_history'];
const targets = [
  ...['targets_pretokenized', 'targets', 'target', 'target_text', 'tgt', 'output', 'output_text', 'response'],
];
/** Solutions in a language each, those that the reward for code runs first. */
const codes = ['typescript', 'javascript', 'solution', 'code', 'python', 'python3', 'java', 'cpp', 'c++'];
/** What a question is about, where that stands apart. */
const passages = ['input', 'context', 'context.contexts', 'passage', 'body', 'article'];

interface Shape {
  /** What a person knows it by. */
  readonly name: string;
  /** Columns of which a row must have one, and whether it fits: the shape's leading role. */
  readonly role: 'text' | 'prompt' | 'messages';
  readonly columns: readonly string[];
  /** Further columns, of which a row must have one for the shape to be meant. */
  readonly beside?: readonly string[];
  /** Whether the leading column holds what the shape needs, for names that have many meanings. */
  readonly fits?: (value: unknown) => boolean;
  readonly others: Readonly<Partial<Record<Role, readonly string[]>>>;
}

const isTalk = (value: unknown): boolean => Array.isArray(value) && messagesFrom(value) !== undefined;
/** Messages that wait for an answer, which stands beside them. */
const isAsking = (value: unknown): boolean =>
  Array.isArray(value) && ![undefined, 'assistant'].includes(messagesFrom(value)?.at(-1)?.role);
/** A conversation with its question, not an answer alone. */
const isWholeTalk = (value: unknown): boolean =>
  Array.isArray(value) && ['user', 'system'].includes(messagesFrom(value)?.[0].role ?? '');
const isTranscript = (value: unknown): boolean => typeof value === 'string' && messagesFrom(value) !== undefined;

/** Languages whose codes are columns of translations. */
const language =
  /^(?:ar|bg|cs|da|de|el|en|es|et|fa|fi|fr|he|hi|hu|it|ja|ko|lt|lv|nl|no|pl|pt|ro|ru|sk|sl|sv|th|tr|uk|vi|zh)(?:[-_]\w+)?$/;

/** Two texts of one meaning: the first is translated into the second. */
function translation(row: Columns): Recognised | undefined {
  const inside = columnNames(row).filter((name) => /^translation\.[^.]+$/.test(name));
  const names = Object.keys(row).filter((name) => name !== 'id');
  const columns =
    inside.length >= 2 ? inside : names.length >= 2 && names.every((name) => language.test(name)) ? names : [];
  const [from, to] = columns.filter((name) => typeof columnAt(row, name) === 'string');
  if (from === undefined || to === undefined) return undefined;
  return {
    name: 'translation',
    plan: { columns: { prompt: [from], response: [to], answer: [to] }, required: new Set(['prompt']) },
  };
}

/** In the order in which they are tried. */
const shapes: readonly Shape[] = [
  {
    name: 'messages, chosen and rejected',
    role: 'prompt',
    columns: ['messages', 'conversations', 'trajectory'],
    fits: isAsking,
    beside: ['chosen', 'chosen.content', 'chosen.value'],
    others: { system: systems, response: ['chosen'], rejected: ['rejected'] },
  },
  // The answer that was preferred often stands once more, as messages.
  {
    name: 'chosen and rejected',
    role: 'messages',
    columns: ['chosen'],
    fits: isWholeTalk,
    beside: ['rejected'],
    others: { system: systems, rejected: ['rejected'], answer: answers },
  },
  {
    name: 'messages',
    role: 'messages',
    columns: ['messages'],
    others: { system: systems, answer: [...answers, 'solution'] },
  },
  {
    name: 'ShareGPT',
    role: 'messages',
    columns: ['conversations', 'conversation', 'body.messages', 'data.messages', 'contents'],
    others: { system: systems, answer: answers },
  },
  {
    name: 'transcript',
    role: 'messages',
    columns: ['chat', 'transcript', 'sample', 'dialogue', 'input'],
    fits: isTranscript,
    others: { system: systems },
  },
  {
    name: 'prompt and response',
    role: 'prompt',
    columns: ['prompt'],
    others: {
      system: systems,
      history: histories,
      response: [
        ...['completion', 'response', 'chosen', 'response_chosen', 'answer_chosen', 'accepted', 'output'],
        ...['canonical_solution', 'solution', 'code', 'generation', 'extra_info.answer', 'gold_standard_solution'],
      ],
      rejected: ['rejected', 'response_rejected', 'answer_rejected'],
      answer: [...answers, 'solution'],
    },
  },
  {
    name: 'question, chosen and rejected',
    role: 'prompt',
    columns: ['question', 'instruction', 'query', 'problem'],
    beside: ['chosen', 'chosen_response', 'response_j', 'win'],
    others: {
      system: systems,
      history: histories,
      input: passages,
      response: ['chosen', 'chosen_response', 'response_j', 'win'],
      rejected: ['rejected', 'rejected_response', 'response_k', 'lose'],
      answer: answers,
    },
  },
  {
    name: 'question, chosen and rejected',
    role: 'prompt',
    columns: ['input'],
    beside: ['chosen', 'chosen_response', 'response_j', 'win'],
    others: {
      system: systems,
      history: histories,
      response: ['chosen', 'chosen_response', 'response_j', 'win'],
      rejected: ['rejected', 'rejected_response', 'response_k', 'lose'],
      answer: answers,
    },
  },
  { name: 'chosen and rejected', role: 'messages', columns: ['chosen'], others: { rejected: ['rejected'] } },
  {
    name: 'Alpaca',
    role: 'prompt',
    columns: ['instruction'],
    others: {
      system: systems,
      history: histories,
      input: passages,
      response: ['output', 'response', 'completion', 'answer'],
      answer: answers,
    },
  },
  {
    name: 'problem and solution',
    role: 'prompt',
    columns: ['problem', 'question.problem'],
    others: {
      response: [
        ...['solution', 'generated_solution', 'response', 'answer', 'rationale', 'question.ground_truth_solution'],
        'question.ground_truth_answer',
      ],
      answer: [...answers, 'question.ground_truth_answer', 'solution'],
    },
  },
  {
    name: 'question and answer',
    role: 'prompt',
    columns: ['question', 'query', 'q', 'questions'],
    others: {
      system: systems,
      history: histories,
      input: passages,
      response: [
        ...['response', 'solution', 'generated_solution', 'completion', 'output', 'answer', 'answers.text'],
        ...[
          'answer.value',
          'a',
          'answers',
          'answers_spans.spans',
          'final_decision',
          'rationale',
          'r1_solution_1',
          'golden_answers',
          'best_answer',
          'sql',
          'query',
        ],
      ],
      answer: [...answers, 'a', 'correct_answers', 'solution'],
    },
  },
  {
    name: 'inputs and targets',
    role: 'prompt',
    columns: ['inputs_pretokenized', 'inputs', 'input', 'input_text', 'source', 'source_text', 'src'],
    beside: [...targets],
    others: { system: [...systems, 'definition'], response: targets, answer: answers },
  },
  {
    name: 'two who talk',
    role: 'prompt',
    columns: ['human', 'user', 'user_message'],
    beside: ['assistant', 'gpt', 'bot', 'bot_message', 'assistant_message'],
    others: { system: systems, response: ['assistant', 'gpt', 'bot', 'bot_message', 'assistant_message'] },
  },
  {
    name: 'problem and code',
    role: 'prompt',
    columns: ['problem_description', 'question_content', 'description', 'content', 'statement', 'instruction_text'],
    beside: codes,
    others: { response: codes },
  },
  {
    name: 'text and code',
    role: 'prompt',
    columns: ['text'],
    beside: ['code'],
    others: { response: ['code'] },
  },
  {
    name: 'text and summary',
    role: 'prompt',
    columns: ['document', 'documents', 'article', 'report', 'dialogue', 'text'],
    beside: ['summary', 'highlights', 'tldr'],
    others: { response: ['summary', 'highlights', 'tldr'] },
  },
  {
    name: 'question and query',
    role: 'prompt',
    columns: ['sql_prompt'],
    others: { input: ['sql_context'], response: ['sql'] },
  },
  {
    name: 'issue and patch',
    role: 'prompt',
    columns: ['problem_statement'],
    others: { response: ['patch'] },
  },
  { name: 'text', role: 'text', columns: ['text', 'content', 'whole_func_string'], others: {} },
  { name: 'a problem to program', role: 'prompt', columns: ['question_content', 'problem_description'], others: {} },
  {
    name: 'turns',
    role: 'messages',
    columns: ['items', 'dialog', 'dialogue', 'turns', 'data'],
    fits: isTalk,
    others: {},
  },
];

/** Columns that shapes usually begin with, for people whose rows have none of them. */
export const knownColumns: readonly string[] = [
  'messages',
  'conversations',
  'prompt',
  'instruction',
  'question',
  'problem',
  'chosen',
  'inputs',
  'text',
];

const required: ReadonlySet<Role> = new Set(['text', 'prompt', 'messages']);

/** The plan for a named mapping: every column it names must be there. Undefined where it names no or two leading roles. */
export function planOfMap(columns: ColumnMap): ColumnPlan | undefined {
  const named = Object.entries(columns).filter((entry): entry is [Role, string] => entry[1] !== undefined);
  if (named.filter(([role]) => required.has(role)).length !== 1) return undefined;
  // What a row may lack is no reason to leave it out.
  const optional: readonly Role[] = ['input', 'system', 'history', 'rejected'];
  return {
    columns: Object.fromEntries(named.map(([role, column]) => [role, [column]])),
    required: new Set(named.map(([role]) => role).filter((role) => !optional.includes(role))),
  };
}

export interface Recognised {
  readonly name: string;
  readonly plan: ColumnPlan;
}

const derivedRoles = ['prompt', 'response', 'rejected', 'answer', 'messages'] as const;

/** The shape that the columns of a row have, capital letters aside; undefined where it is none that is known. */
export function recognise(first: Columns): Recognised | undefined {
  for (const { name, columns, loose = false, derive } of derivedShapes) {
    const derived = derive(first);
    if (derived === undefined) continue;
    const leading = derived.messages === undefined ? 'prompt' : 'messages';
    const roles = Object.fromEntries(derivedRoles.map((role) => [role, [role]]));
    return {
      name,
      plan: { columns: roles, required: new Set([leading]), derive: { of: columns, loose, row: derive } },
    };
  }
  const languages = translation(first);
  if (languages !== undefined) return languages;
  const own = new Map(columnNames(first).map((name) => [name.toLowerCase(), name]));
  for (const name of Object.keys(first)) own.set(name.toLowerCase(), name);
  const here = (names: readonly string[]) => names.flatMap((name) => own.get(name) ?? []);
  for (const { name, role, columns, beside, fits = () => true, others } of shapes) {
    const leading = here(columns).find((column) => fits(columnAt(first, column)));
    if (leading === undefined || (beside !== undefined && here(beside).length === 0)) continue;
    // Later rows may have columns that the first one lacks, in small letters.
    // What is asked is no answer to itself.
    const spelt = (names: readonly string[]) =>
      names.map((each) => own.get(each) ?? each).filter((each) => each !== leading);
    const rest = Object.entries(others).map(([other, names]) => [other, spelt(names)] as const);
    return {
      name,
      plan: {
        columns: { [role]: [leading], ...Object.fromEntries(rest) },
        required: new Set([role]),
      },
    };
  }
  return undefined;
}

/** The mapping that is most likely meant by columns of no known shape; empty where nothing can be said. */
export function guess(row: Columns): ColumnMap {
  for (const name of Object.keys(row)) {
    if (typeof row[name] !== 'string' && messagesFrom(row[name]) !== undefined) return { messages: name };
  }
  const texts = columnNames(row).filter((name) => typeof columnAt(row, name) === 'string');
  const [first, second] = texts;
  if (first === undefined) return {};
  return second === undefined ? { text: first } : { prompt: first, response: second };
}

/** A mapping as it is written in a run spec. */
export function mapText(columns: ColumnMap): string {
  const pairs = Object.entries(columns).flatMap(([role, name]) =>
    name === undefined ? [] : `${role}: ${plain.test(name) ? name : quoted(name)}`,
  );
  return `{ ${pairs.join(', ')} }`;
}

/** YAML reads anything else as something other than a plain word. */
const plain = /^(?!(?:true|false|null|yes|no|on|off)$)[A-Za-z_][\w.-]*$/i;
const quoted = (text: string): string => JSON.stringify(text);
