/**
 * Jinja as chat templates use it: what transformers' `render_jinja_template` prints, with bounds on time and memory.
 *
 * Our own, because no package for JavaScript prints Python's values: @huggingface/jinja 0.5 writes `true` for `True`, ignores
 * the arguments of `strip`, compares `1` and `"1"` as equal, keeps carriage returns, knows no tests with arguments and no
 * chained comparisons, and cannot be stopped; minijinja prints `true` and `none` too.
 */
import { withBudget } from './budget.ts';
import { JinjaError } from './errors.ts';
import { globals } from './globals.ts';
import { Interpreter, Scope } from './interpreter.ts';
import { parse } from './parser.ts';
import type { Statement } from './syntax.ts';
import { fromJson } from './values.ts';

/** The longest template that is read, in characters; those of models have some ten thousand. */
const LONGEST = 1_000_000;

/** Runs `action` so that a stack that is full leaves as an error of a template. */
function shallow<T>(action: () => T): T {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof RangeError) throw new JinjaError('it is nested too deeply', { cause });
    throw cause;
  }
}

/** Characters in all strings of a value. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 1;
  return Object.entries(value).reduce((n, [key, item]) => n + key.length + sizeOf(item), 1);
}

export class Template {
  private readonly body: readonly Statement[];

  /** @throws JinjaError */
  constructor(source: string) {
    if (source.length > LONGEST) throw new JinjaError(`it has more than ${LONGEST} characters`);
    this.body = shallow(() => parse(source));
  }

  /**
   * @param variables values of JSON
   * @throws JinjaError
   */
  render(variables: Readonly<Record<string, unknown>>): string {
    return shallow(() =>
      withBudget(sizeOf(variables), () => {
        const scope = new Scope();
        for (const [name, value] of globals()) scope.set(name, value);
        const inner = new Scope(scope);
        for (const [name, value] of Object.entries(variables)) inner.set(name, fromJson(value));
        return new Interpreter().print(this.body, inner);
      }),
    );
  }
}
