/** What the parsers make of the text in an editor, kept for as long as it is the same: every feature asks. */
import { type Document, parseDocument } from 'yaml';
import { type ParsedSpec, parseSpec } from '../../spec/document.ts';
import { excess, specLimits } from '../../spec/limits.ts';

/** Texts whose reading is kept: several specs may be open side by side. */
const kept = 4;

/** The function with its last answers remembered; an answer is not changed by those who get it. */
function remembered<T>(read: (text: string, file: string) => T): (text: string, file: string) => T {
  const answers: { readonly text: string; readonly file: string; readonly answer: T }[] = [];
  return (text, file) => {
    // What is never parsed need not be kept.
    if (text.length > specLimits.characters) return read(text, file);
    const known = answers.find((each) => each.text === text && each.file === file);
    if (known !== undefined) return known.answer;
    const answer = read(text, file);
    answers.unshift({ text, file, answer });
    answers.length = Math.min(answers.length, kept);
    return answer;
  };
}

/** The spec with its problems. @param file name of the text, for messages */
export const specIn: (text: string, file: string) => ParsedSpec = remembered(parseSpec);

const options = { prettyErrors: false, stringKeys: true, merge: true } as const;

/** Whatever the text is so far; mistakes are reported elsewhere. What is too much for a spec is taken for an empty text. */
export function parse(text: string): Document.Parsed {
  return parseDocument(excess(text) === undefined ? text : '', options);
}

const known = remembered(parse);

/** {@link parse} of a text that others ask about too. */
export const documentIn = (text: string): Document.Parsed => known(text, '');
