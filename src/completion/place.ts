/** A place in a document as the model is told of it, and the way back from its text to the document's. */
import { EndOfLine, type Position, Range, type TextDocument } from 'vscode';
import { notebookOf } from '../notebooks.ts';
import { type Part, prefixOf } from './prefix.ts';
import { plainBreaks } from './remainder.ts';

const behind = 4_096;

export interface Place {
  /** In the document. */
  readonly offset: number;
  /** With plain line breaks; in a notebook the cells above that are in the same language come first. */
  readonly prefix: string;
  readonly suffix: string;
}

export function placeOf(document: TextDocument, position: Position): Place {
  const offset = document.offsetAt(position);
  const own = partOf(document);
  const prefix = prefixOf(cellsAbove(document).map(partOf), own, offset);
  return { offset, prefix, suffix: plainBreaks(own.read(offset, offset + behind)) };
}

function partOf(document: TextDocument): Part {
  return {
    length: document.offsetAt(document.lineAt(document.lineCount - 1).range.end),
    read: (start, end) => document.getText(new Range(document.positionAt(start), document.positionAt(end))),
  };
}

/** Cells of the same notebook above a cell, in its language; none for any other document. */
function cellsAbove(document: TextDocument): TextDocument[] {
  const cells =
    notebookOf(document.uri)
      ?.getCells()
      .map((cell) => cell.document) ?? [];
  return cells
    .slice(0, Math.max(0, cells.indexOf(document)))
    .filter(({ languageId }) => languageId === document.languageId);
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
