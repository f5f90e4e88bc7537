/** What a written answer can be, and what can be asked of one. */
import type { Expression } from './expression.ts';
import { pointsOf, type Reals } from './reals.ts';
import type { Token } from './tokens.ts';
import type { Unit } from './unit.ts';

export type Answer =
  | { kind: 'value'; value: Expression; unit?: Unit | undefined }
  /** Quantities that add up, such as 2 hours 30 minutes. */
  | { kind: 'sum'; parts: { value: Expression; unit: Unit }[] }
  | { kind: 'words'; key: string }
  /** Not understood: equal to the same tokens only. */
  | { kind: 'text'; key: string }
  /** `joint`: how statements about variables, or words, are joined. */
  | { kind: 'list'; items: Answer[]; joint?: 'and' | 'or' | undefined }
  | { kind: 'set'; items: Answer[] }
  | { kind: 'tuple'; open: string; close: string; items: Answer[] }
  | { kind: 'reals'; reals: Reals; variable?: string | undefined }
  | { kind: 'union'; items: Answer[] }
  | { kind: 'relation'; sides: Expression[]; signs: string[] }
  /** `x = 5`, `f(x) = 2x`: the last value is what is said, and the others must equal it. */
  | { kind: 'named'; name: string; values: Answer[]; relation?: Answer | undefined }
  | { kind: 'matrix'; rows: Answer[][]; bars: boolean }
  | { kind: 'ratio'; terms: Expression[]; clock: boolean; half: string | undefined }
  | { kind: 'based'; digits: string; base: number }
  | { kind: 'choice'; letter: string; content: Answer }
  | { kind: 'either'; of: Answer[] };

/** Reads what stands inside of another answer. */
export type Read = (tokens: readonly Token[]) => Answer;

/** Whether an answer is words or a letter. */
export function isName(answer: Answer): boolean {
  if (answer.kind === 'either') return answer.of.some(isName);
  return answer.kind === 'words' || (answer.kind === 'value' && answer.value.kind === 'symbol');
}

/** Whether an answer says something about a variable that more than one value fits. */
export function isStatement(answer: Answer): boolean {
  if (answer.kind === 'either') return answer.of.some((reading) => reading.kind === 'relation');
  return answer.kind === 'relation' || (answer.kind === 'reals' && answer.variable !== undefined);
}

export function variableOf(answer: Answer | undefined): string | undefined {
  if (answer?.kind === 'either') return answer.of.map(variableOf).find((name) => name !== undefined);
  return answer?.kind === 'reals' ? answer.variable : undefined;
}

/** The real numbers that an answer stands for; a set of numbers is one of points. */
export function realsOf(answer: Answer): Reals | undefined {
  if (answer.kind === 'reals') return answer.reals;
  if (answer.kind === 'either') return answer.of.map(realsOf).find((reals) => reals !== undefined);
  if (answer.kind !== 'set') return undefined;
  const values = answer.items.flatMap((item) => (item.kind === 'value' && !item.unit ? item.value : []));
  return values.length === answer.items.length ? pointsOf(values) : undefined;
}
