/**
 * How often a statement that the model writes can be parsed. From the held-out TypeScript files functions are taken whose
 * body has at least two statements, and cut behind one of them, not the last. The model reads what stands before (the last 256
 * tokens) and goes on by greedy actions. What it wrote counts up to the end of its first statement; behind it comes the file from
 * the end of the function's body on, which closes everything that was open. The statement is counted as parsed if
 * TypeScript's own parser finds no error in the whole. A model that ends the body instead, or whose statement does not end within
 * 64 tokens, has failed.
 *
 * Usage: tsx scripts/model/parse-rate.ts [MODEL] [--count 200] [--seed 7]. Prints JSON.
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import ts from 'typescript';
import { Decoder } from '../../server/cola/decoder.ts';
import { ColaModel } from '../../server/cola/model.ts';
import { openDevice } from '../../server/device/device.ts';
import { actionWalker, continueTexts } from '../../server/evaluate/continuations.ts';
import { Random } from '../../server/random.ts';
import { resolveModel } from '../../server/spec/document.ts';
import { CORPUS, readRows } from '../corpus/rows.ts';

/** Tokens the model reads, and writes at most. */
const PREFIX = 256;
const WRITTEN = 64;

/** A place behind a statement of a function's body. */
export interface Cut {
  readonly path: string;
  readonly text: string;
  /** Offset behind the statement. */
  readonly at: number;
  /** Offset of the brace that ends the body. */
  readonly end: number;
}

function parse(text: string): ts.SourceFile {
  return ts.createSourceFile('held-out.ts', text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
}

/** Errors of the parser alone. */
function errorsIn(file: ts.SourceFile): number {
  return (file as ts.SourceFile & { readonly parseDiagnostics: readonly ts.Diagnostic[] }).parseDiagnostics.length;
}

/** All places in a file where it could be cut; none where the file has errors of its own. */
export function cutsIn(path: string, text: string): Cut[] {
  const file = parse(text);
  if (errorsIn(file) > 0) return [];
  const cuts: Cut[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined && ts.isBlock(node.body as ts.Node)) {
      const body = node.body as ts.Block;
      for (const statement of body.statements.slice(0, -1)) {
        cuts.push({ path, text, at: statement.end, end: body.end - 1 });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return cuts;
}

/** The statement that a text begins with behind a cut, and whether it parses; undefined where it begins with none. */
export function firstStatement(cut: Cut, written: string): { statement: string; parsed: boolean } | undefined {
  const [before, after] = [cut.text.slice(0, cut.at), cut.text.slice(cut.end)];
  const limit = cut.at + written.length;
  const found = firstAfter(parse(`${before}${written}\n${after}`), cut.at, limit);
  if (found === undefined) return undefined;
  const statement = written.slice(0, found.end - cut.at);
  return { statement, parsed: found.end <= limit && errorsIn(parse(`${before}${statement}\n${after}`)) === 0 };
}

/** The outermost statement of a block that begins between two offsets. */
function firstAfter(file: ts.SourceFile, from: number, to: number): ts.Statement | undefined {
  let found: ts.Statement | undefined;
  const visit = (node: ts.Node): void => {
    if (found !== undefined || node.end <= from) return;
    if (ts.isBlock(node) && node.getStart(file) < from) {
      const first = node.statements.find((statement) => statement.getStart(file) >= from);
      const inside = node.statements.some((statement) => statement.getStart(file) < from && statement.end > from);
      if (!inside && first !== undefined && first.getStart(file) < to && !ts.isEmptyStatement(first)) {
        found = first;
        return;
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

export interface ParseRate {
  readonly count: number;
  readonly parsed: number;
  /** Of the others: the model ended the body, or wrote no statement. */
  readonly none: number;
  readonly rate: number;
  readonly examples: { statement: string; parsed: boolean }[];
}

/** @param count cuts, at random but at most five a file */
export async function parseRate(folder: string, count: number, seed: number): Promise<ParseRate> {
  const cola = await ColaModel.load(folder);
  const { tokenizer } = cola.base;
  if (tokenizer === undefined) throw new Error(`${folder} has no tokenizer`);
  const random = new Random(seed);
  const cuts: Cut[] = [];
  for await (const { kind, path, text } of readRows(join(CORPUS, 'heldout.jsonl'))) {
    if (kind !== 'ts' || path.endsWith('.d.ts')) continue;
    const all = cutsIn(path, text);
    cuts.push(...[...random.permutation(all.length)].slice(0, 5).map((i) => all[i]));
  }
  const chosen: { cut: Cut; ids: Int32Array }[] = [];
  for (const i of random.permutation(cuts.length)) {
    if (chosen.length === count) break;
    const ids = tokenizer.encode(cuts[i].text.slice(0, cuts[i].at));
    if (ids.length >= PREFIX) chosen.push({ cut: cuts[i], ids: ids.slice(-PREFIX) });
  }
  const { device } = await openDevice('auto');
  const decoder = new Decoder(device, cola);
  try {
    const walker = actionWalker(decoder, 'greedy', random);
    const written: Int32Array[] = [];
    for (let at = 0; at < chosen.length; at += 50) {
      const some = chosen.slice(at, at + 50).map(({ ids }) => ids);
      written.push(...(await continueTexts(walker, some, 1, WRITTEN)));
      process.stderr.write(`${Math.min(at + 50, chosen.length)} of ${chosen.length}\n`);
    }
    const results = written.map((ids, i) => {
      const end = ids.findIndex((id) => cola.base.endIds.has(id));
      return firstStatement(chosen[i].cut, tokenizer.decode(end < 0 ? ids : ids.subarray(0, end)));
    });
    const parsed = results.filter((result) => result?.parsed === true).length;
    return {
      count: results.length,
      parsed,
      none: results.filter((result) => result === undefined).length,
      rate: parsed / Math.max(1, results.length),
      examples: results.flatMap((result) => result ?? []).slice(0, 8),
    };
  } finally {
    await decoder.dispose();
    await device.dispose();
  }
}

if (process.argv[1]?.endsWith('parse-rate.ts')) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { count: { type: 'string', default: '200' }, seed: { type: 'string', default: '7' } },
  });
  const folder = resolveModel(positionals[0] ?? 'builtin:nano', resolve('from'));
  const rate = await parseRate(folder, Number(values.count), Number(values.seed));
  process.stdout.write(`${JSON.stringify(rate, null, 2)}\n`);
}
