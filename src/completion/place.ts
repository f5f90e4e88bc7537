/** A place in a document as the model is told of it, and the way back from its text to the document's. */
import { EndOfLine, type Position, Range, type TextDocument } from 'vscode';
import { plainBreaks } from './remainder.ts';

/** Of a long document so many characters are sent at least, far more than a model reads. */
const before = 65_536;
/** It is cut in such pieces, so that what is sent begins alike for many keystrokes. */
const piece = 32_768;
const behind = 4_096;

export interface Place {
  /** In the document. */
  readonly offset: number;
  /** With plain line breaks. */
  readonly prefix: string;
  readonly suffix: string;
}

export function placeOf(document: TextDocument, position: Position): Place {
  const offset = document.offsetAt(position);
  const from = Math.max(0, Math.floor((offset - before) / piece) * piece);
  const text = (start: number, end: number) =>
    plainBreaks(document.getText(new Range(document.positionAt(start), document.positionAt(end))));
  return { offset, prefix: text(from, offset), suffix: text(offset, offset + behind) };
}

/** Text between an offset and a position behind it; undefined where the position is not behind it. */
export function textSince(document: TextDocument, offset: number, position: Position): string | undefined {
  const end = document.offsetAt(position);
  return end < offset
    ? undefined
    : plainBreaks(document.getText(new Range(document.positionAt(offset), document.positionAt(end))));
}

/** Characters that a text of the model takes in the document. */
export function widthIn(document: TextDocument): (text: string) => number {
  const breaks = document.eol === EndOfLine.CRLF;
  return (text) => (breaks ? text.length + text.split('\n').length - 1 : text.length);
}
