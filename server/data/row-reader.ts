/** How an object with named columns becomes a row. */
import { basename } from 'node:path';
import { type Columns, columnAt, columnNames, kindOf } from '../schemas/columns.ts';
import { contentOf, type Message, messagesFrom, notMessages, toolsText, turnsBefore } from './conversation.ts';
import { pieceOf } from './derived-others.ts';
import { isObject, isText, listOf } from './derived-shape.ts';
import { dataErrors } from './errors.ts';
import type { Row, Written } from './rows.ts';
import {
  type ColumnMap,
  type ColumnPlan,
  guess,
  knownColumns,
  mapText,
  planOfMap,
  type Role,
  recognise,
} from './shapes.ts';

/** The plan for a named mapping: every column it names must be there. Throws `data.ambiguousColumns`. */
export function planOf(columns: ColumnMap): ColumnPlan {
  const plan = planOfMap(columns);
  if (plan === undefined) throw dataErrors.ambiguousColumns();
  return plan;
}

/** Throws `data.notARow` for a row that is a piece of one, or many in one. */
export function refusePiece(row: Columns, file: string, line: number): void {
  const piece = pieceOf(row, JSON.stringify(basename(file)));
  if (piece !== undefined) throw dataErrors.notARow(file, line, piece.what, piece.way);
}

/** The plan for a file without a mapping, from the names its first row has. Throws `data.unknownColumns`, `data.notARow`. */
export function planFrom(first: Columns, file: string, line: number): ColumnPlan {
  refusePiece(first, file, line);
  const found = recognise(first);
  if (found === undefined)
    throw dataErrors.unknownColumns(file, line, knownColumns, columnNames(first), mapText(guess(first)));
  return found.plan;
}

const isScalar = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';

/** GSM8K ends its explanations with the result, behind four hashes. */
const result = (text: string): string => /(?:^|\n)#### *([^\n]+?)\s*$/.exec(text)?.[1] ?? text;

/** What the columns of each role give. */
interface RoleValues {
  text: string;
  input: string;
  system: string;
  history: Message[];
  rejected: string | Message[];
  prompt: string | Message[];
  response: string | Message[];
  answer: string | string[];
  messages: Message[];
}

/** What a list of one text as JSON holds, as some tables have right answers (`["4"]`); anything else as it is. */
function onlyOf(value: string): string {
  if (value.length > 10_000 || !/^\s*\[\s*"/.test(value)) return value;
  try {
    const list: unknown = JSON.parse(value);
    return Array.isArray(list) && list.length === 1 && typeof list[0] === 'string' ? list[0] : value;
  } catch {
    return value;
  }
}

/** The value of a column as the role takes it; undefined where it does not fit. */
const readers: { readonly [R in Role]: (value: unknown) => RoleValues[R] | undefined } = {
  text: (value: unknown) => (typeof value === 'string' ? value : undefined),
  input: (value: unknown) => {
    // A passage in pieces (PubMedQA).
    if (Array.isArray(value) && value.length > 0 && value.every((part) => typeof part === 'string'))
      return value.join('\n');
    return isScalar(value) ? String(value) : undefined;
  },
  system: (value: unknown) => contentOf(value),
  history: turnsBefore,
  rejected: said,
  prompt: question,
  response: (value: unknown) => {
    // Several texts are several right ones, of which one is said.
    if (Array.isArray(value) && value.every(isScalar)) return value.length === 0 ? '' : String(value[0]);
    return isScalar(value) ? String(value) : said(value);
  },
  answer: (value: unknown) => {
    if (isScalar(value)) return result(onlyOf(String(value)));
    const several = Array.isArray(value) && value.length > 0 && value.every(isScalar);
    return several ? value.map((one) => result(String(one))) : undefined;
  },
  messages: messagesFrom,
};

const expected: Readonly<Record<Role, string>> = {
  text: 'a string',
  input: 'a string',
  system: 'a string',
  history: 'a list of [question, answer] or of {role, content} that ends with an answer',
  rejected: 'a string or a list of {role, content}',
  prompt: 'a string or a list of {role, content}',
  response: 'a string or a list of {role, content}',
  answer: 'a string, a number or a list of them',
  messages: 'a list of {role, content}',
};

/** A prompt that is a transcript, up to where the assistant is to go on. */
function question(value: unknown): string | Message[] | undefined {
  if (typeof value !== 'string' || !/^\s*Human:[\s\S]*\n\nAssistant:\s*$/.test(value)) return said(value);
  return messagesFrom(value) ?? value;
}

/** What somebody says: a text, texts that belong together, or messages. */
function said(value: unknown): string | Message[] | undefined {
  if (typeof value === 'string') return messagesInText(value) ?? value;
  if (Array.isArray(value) && value.length > 0 && value.every((part) => typeof part === 'string'))
    return value.join('\n');
  return messagesFrom(Array.isArray(value) ? value : [value]);
}

/** Tables have no lists: there, messages are JSON in a cell. */
const messagesInText = (value: string): Message[] | undefined =>
  /^\s*\[\s*\{/.test(value) ? messagesFrom(value) : undefined;

/**
 * The row an object stands for, and the columns that it was made of. Throws `data.missingColumn`, `data.wrongType`,
 * `data.emptyText`.
 *
 * @param plan which column plays which role
 */
export function readRow(object: Columns, plan: ColumnPlan, file: string, line: number): { row: Row; map: ColumnMap } {
  if (plan.derive !== undefined) return readDerived(object, plan, plan.derive, file, line);
  const map: Partial<Record<Role, string>> = {};
  const value: Values = (role) => {
    const candidates = plan.columns[role] ?? [];
    const must = plan.required.has(role);
    for (const column of candidates) {
      const found = columnAt(object, column);
      // A null in an optional column is as good as none.
      if (found === undefined || (found === null && !must)) continue;
      // Of answers judged one by one (KTO) those that were not liked are no answers to learn; the prompt is one as ever.
      const disliked =
        (column === 'completion' && object.label === false) || (column === 'output' && object.kto_tag === false);
      if (role === 'response' && candidates.length > 1 && disliked) continue;
      const read = readers[role](found);
      if (read === undefined) {
        // Of a shape that was recognised, a column of another kind has another meaning.
        if (!must && (candidates.length > 1 || role === 'rejected')) continue;
        const is = role === 'messages' && Array.isArray(found) ? notMessages(found) : kindOf(found);
        throw dataErrors.wrongType(file, line, column, expected[role], is);
      }
      const empty = read === '' || (Array.isArray(read) && read.length === 0);
      if (empty && must && role !== 'response') throw dataErrors.emptyText(file, line, column);
      map[role] = column;
      return read;
    }
    if (must) {
      const have = columnNames(object);
      throw dataErrors.missingColumn(file, line, candidates.join(' or '), have, mapText(guess(object)));
    }
    return undefined;
  };
  const parts = withTools(withoutDisliked(preference(object, plan, map) ?? readBoth(value), object), object);
  const taken = new Set(Object.values(map));
  const columns = Object.fromEntries(Object.entries(object).filter(([column]) => !taken.has(column)));
  return { row: { ...parts, columns }, map };
}

const isDisliked = ({ label, kto_tag }: Columns): boolean => label === false || kto_tag === false;

/** Of a conversation that was judged (KTO) an answer that was not liked is none to learn: what was asked stays. */
function withoutDisliked(row: Without<Row>, object: Columns): Without<Row> {
  const disliked = row.kind === 'chat' && isDisliked(object) && row.messages.at(-1)?.role === 'assistant';
  return disliked ? { ...row, messages: row.messages.slice(0, -1) } : row;
}

/** A conversation that does not say which tools there are, where a column does: the model is told at its beginning. */
function withTools(row: Without<Row>, { tools }: Columns): Without<Row> {
  const listed = row.kind === 'chat' ? (listOf(tools) ?? []) : [];
  if (row.kind !== 'chat' || listed.length === 0) return row;
  const names = listed.flatMap((tool) => {
    const name = isObject(tool) ? (columnAt(tool, 'function.name') ?? tool.name) : undefined;
    return isText(name) ? [name] : [];
  });
  if (names.length === 0) return row;
  const told = (messages: readonly Message[]): readonly Message[] => {
    const [first, ...rest] = messages;
    if (first?.role !== 'system') return [{ role: 'system', content: toolsText(listed) }, ...messages];
    if (names.some((name) => first.content.includes(name))) return messages;
    return [{ ...first, content: `${first.content}\n\n${toolsText(listed)}` }, ...rest];
  };
  const { rejected } = row;
  return {
    ...row,
    messages: told(row.messages),
    ...(rejected?.kind === 'chat' ? { rejected: { ...rejected, messages: told(rejected.messages) } } : {}),
  };
}

/** A row whose roles are made of several columns; these stay with it. */
function readDerived(
  object: Columns,
  { columns, required }: ColumnPlan,
  { of, loose, row: derive }: NonNullable<ColumnPlan['derive']>,
  file: string,
  line: number,
): { row: Row; map: ColumnMap } {
  const derived = derive(object);
  const other = derived === undefined && loose ? recognise(object) : undefined;
  if (other !== undefined) return readRow(object, other.plan, file, line);
  if (derived === undefined)
    throw dataErrors.missingColumn(file, line, of.join(' or '), columnNames(object), mapText(guess(object)));
  const { from, parts, ...values } = derived;
  if (parts !== undefined) {
    const text = parts.map((part) => part.text).join('');
    if (text.trim() === '') throw dataErrors.emptyText(file, line, of[0]);
    return { row: { kind: 'text', text, parts, columns: object }, map: from };
  }
  const { row } = readRow(values, { columns, required }, file, line);
  return { row: { ...row, columns: object }, map: from };
}

/** {@link readRow} without the columns it was made of. */
export function rowFrom(object: Columns, plan: ColumnPlan, file: string, line: number): Row {
  return readRow(object, plan, file, line).row;
}

/** Two texts of which one was preferred: the words they begin with are the prompt, as TRL has it. */
function preference(
  object: Columns,
  { columns }: ColumnPlan,
  map: Partial<Record<Role, string>>,
): Without<Row> | undefined {
  const [better, worse] = [columns.messages?.[0], columns.rejected?.[0]];
  if (better === undefined || worse === undefined) return undefined;
  const [chosen, rejected] = [columnAt(object, better), columnAt(object, worse)];
  if (typeof chosen !== 'string' || typeof rejected !== 'string' || chosen.trim() === '') return undefined;
  if (messagesFrom(chosen) !== undefined) return undefined;
  Object.assign(map, { messages: better, rejected: worse });
  let shared = 0;
  while (shared < chosen.length && chosen[shared] === rejected[shared]) shared++;
  // Not in the middle of a word, and with something left to say.
  while (shared > 0 && (shared === chosen.length || !/\s/.test(chosen[shared]))) shared--;
  const cut = (text: string): Written =>
    shared === 0
      ? { kind: 'text', text }
      : { kind: 'prompt', prompt: text.slice(0, shared), response: text.slice(shared) };
  return { ...cut(chosen), rejected: cut(rejected) };
}

/** What the roles say, with what they would say of the answer that was not preferred, where there is one. */
function readBoth(value: Values): Without<Row> {
  const parts = readRoles(value);
  const rejected = value('rejected');
  if (rejected === undefined) return parts;
  const instead = (role: Role) => {
    if (role === 'answer') return undefined;
    if (role === 'response') return rejected;
    if (role === 'messages') return typeof rejected === 'string' ? messagesFrom(rejected) : rejected;
    return value(role);
  };
  const other = readRoles(instead as Values);
  // What has no answer, or is of another form, cannot be compared.
  const empty = other.kind === 'chat' ? other.messages.length === 0 : other.kind === 'prompt' && other.response === '';
  return other.kind === parts.kind && !empty ? { ...parts, rejected: other } : parts;
}

/** The row of a conversation, with the right result where there is one. */
function conversation(value: Values): Without<Row> {
  const said = value('messages') ?? [];
  const system = value('system') ?? '';
  const told = system.trim() === '' || said[0]?.role === 'system';
  const messages = told ? said : [{ role: 'system', content: system.replace(/^SYSTEM: ?/, '') }, ...said];
  const answer = value('answer');
  return { kind: 'chat', messages, ...(answer === undefined || answer === '' ? {} : { answer }) };
}

type Without<T> = T extends Row ? Omit<T, 'columns'> : never;
type Values = <R extends Role>(role: R) => RoleValues[R] | undefined;

/** Characters from which on a question does not stand in its passage by chance. */
const longQuestion = 20;

/** A question with what it is about. Some have the question in that once more, or all of it as a template wrote it. */
function together(question: string, input: string): string {
  if (input.trim() === '') return question;
  if (question.length < longQuestion || !input.includes(question)) return `${question}\n\n${input}`;
  return /<\|\w+\|>|\[INST\]/.test(input) ? question : input;
}

/** What the columns of a row say together, without those that have no role. */
function readRoles(value: Values): Without<Row> {
  const text = value('text');
  if (text !== undefined) return { kind: 'text', text };
  const prompt = value('prompt');
  if (prompt === undefined) return conversation(value);
  const input = value('input') ?? '';
  const system = value('system') ?? '';
  const history = value('history') ?? [];
  const response = value('response');
  const right = value('answer');
  const answer = right === undefined || right === '' ? {} : { answer: right };
  // Of preferences the answer often comes with the whole conversation.
  if (Array.isArray(response) && response[0].role !== 'assistant')
    return { kind: 'chat', messages: response, ...answer };
  const bare = typeof prompt === 'string' ? prompt : prompt.length === 1 ? onlyWords(prompt[0], 'user') : undefined;
  const asked = bare === undefined ? undefined : together(bare, input);
  const answered = Array.isArray(response)
    ? response.length === 1
      ? onlyWords(response[0], 'assistant')
      : undefined
    : response;
  if (
    asked !== undefined &&
    system === '' &&
    history.length === 0 &&
    (response === undefined || answered !== undefined)
  ) {
    return { kind: 'prompt', prompt: asked, ...(answered === undefined ? {} : { response: answered }), ...answer };
  }
  const told: Message[] = system === '' ? [] : [{ role: 'system', content: system }];
  const before = [...told, ...history];
  const question: Message[] = asked === undefined ? (prompt as Message[]) : [{ role: 'user', content: asked }];
  const end: Message[] = typeof response === 'string' ? [{ role: 'assistant', content: response }] : (response ?? []);
  return { kind: 'chat', messages: [...before, ...question, ...end], ...answer };
}

const onlyWords = ({ role, content }: Message, of: string): string | undefined => (role === of ? content : undefined);
