/** Published questions with choices (ARC, MMLU, MedQA, PIQA and their like), answered by the letter of the right one. */
import { type Columns, columnAt } from '../schemas/columns.ts';
import { asked, type DerivedShape, isObject, isText } from './derived-shape.ts';

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Choices that have a column each, by the names of the first two. */
const apart: readonly (readonly string[])[] = [
  [...'ABCDE'],
  ['opa', 'opb', 'opc', 'opd'],
  ['option1', 'option2', 'option3', 'option4'],
  ['sol1', 'sol2'],
  ['choice1', 'choice2'],
  ['answerA', 'answerB', 'answerC'],
];
/** What a question is about, where that stands apart. */
const passages = ['article', 'passage', 'premise', 'context'];
const rightChoice = [
  ...[
    'answerKey',
    'answer_idx',
    'answer',
    'Answer',
    'correct',
    'correct_option',
    'label',
    'answer_index',
    'cop',
    'gold',
  ],
];

/** The choices of a row: a list, an object by their letters, or columns of their own. */
function choicesOf(row: Columns): { texts: string[]; labels: string[]; column: string } | undefined {
  const few = (list: readonly unknown[]): list is string[] =>
    list.length > 1 && list.length <= letters.length && list.every(isText);
  for (const column of ['choices.text', 'choices', 'options', 'endings']) {
    const value = columnAt(row, column);
    if (Array.isArray(value) && few(value)) {
      const own = columnAt(row, 'choices.label');
      const labels = value.map((_, i) => (Array.isArray(own) && isText(own[i]) ? own[i] : letters[i]));
      return { texts: value, labels, column };
    }
    if (isObject(value) && few(Object.values(value)) && Object.keys(value).every((name) => /^[A-Z]$/.test(name)))
      return { texts: Object.values(value) as string[], labels: Object.keys(value), column };
  }
  for (const names of apart) {
    const here = names.filter((name) => isText(row[name]));
    if (here.length < 2 || here.some((name, i) => name !== names[i])) continue;
    const column = `${here[0]} to ${here.at(-1)}`;
    return { texts: here.map((name) => String(row[name])), labels: here.map((_, i) => letters[i]), column };
  }
  return undefined;
}

/** A question with choices, answered by the letter of the right one. */
export const choices: DerivedShape = {
  name: 'a question with choices',
  columns: ['choices', 'options', 'endings', 'A', 'opa', 'option1', 'sol1'],
  derive: (row) => {
    const question = asked(row, [
      'question',
      'Question',
      'question_stem',
      'ctx',
      'prompt',
      'query',
      'goal',
      'sentence',
    ]);
    if (question === undefined || typeof question.value !== 'string') return undefined;
    const offered = choicesOf(row);
    if (offered === undefined) return undefined;
    const { texts, labels, column } = offered;
    // AGIEval has a list, of one.
    const only = (value: unknown) => (Array.isArray(value) && value.length === 1 ? value[0] : value);
    const key = rightChoice.find((name) => isText(only(row[name])) || typeof only(row[name]) === 'number');
    if (key === undefined) return undefined;
    const given = String(only(row[key])).trim();
    // WinoGrande and Social IQa number theirs from one; all others from nought.
    const shift = column === 'option1 to option2' || column.startsWith('answerA') ? 1 : 0;
    const passage = passages.find((name) => name !== question.column && isText(row[name]));
    const about = passage === undefined ? '' : `${String(row[passage])}\n\n`;
    const at =
      labels.indexOf(given) >= 0
        ? labels.indexOf(given)
        : /^\d+$/.test(given)
          ? Number(given) - shift
          : texts.indexOf(given);
    const right = labels[at];
    if (right === undefined) return undefined;
    // Some have their letters already.
    const lettered = texts.map((text) => /^\(?[A-Z][).:]/.test(text));
    const lines = texts.map((text, i) => (lettered[i] ? text : `${labels[i]}. ${text}`));
    const said = question.value;
    const listed = lettered.every((has, i) => has && said.includes(texts[i])) ? '' : `\n\n${lines.join('\n')}`;
    return {
      prompt: `${about}${said}${listed}`,
      response: right,
      answer: right,
      from: { prompt: `${question.column} and ${column}`, response: key, answer: key },
    };
  },
};
