/**
 * What one rendering may cost. A template comes with a model folder and is a program: without bounds, `range(10 ** 9)` or a
 * long enough `join` ends this process. Rendering is synchronous, so the one that runs is the one that is charged.
 */
import { JinjaError } from './errors.ts';

const STEPS = 2_000_000;
/** Characters of all strings that are made, beyond what the variables bring along. */
const CHARACTERS = 64_000_000;
const MILLISECONDS = 5_000;
/** Steps between two looks at the clock. */
const GLANCE = 4_096;

let steps = 0;
let characters = 0;
let deadline = 0;
let computed: NodeJS.CpuUsage;

/** Runs `render` with a fresh budget. `given` is the number of characters in the variables. */
export function withBudget<T>(given: number, render: () => T): T {
  steps = STEPS + given;
  characters = CHARACTERS + 64 * given;
  deadline = performance.now() + MILLISECONDS;
  computed = process.cpuUsage();
  return render();
}

/** Charges for `count` operations or elements. */
export function spendSteps(count = 1): void {
  const before = Math.floor(steps / GLANCE);
  steps -= count;
  if (steps < 0) throw new JinjaError(`it takes more than ${STEPS} steps`);
  if (Math.floor(steps / GLANCE) !== before && performance.now() > deadline && isComputing())
    throw new JinjaError(`it takes longer than ${MILLISECONDS / 1000} s`);
}

/** Whether the time went into computing: the clock goes on while a machine sleeps, or has a hundred other things to do. */
function isComputing(): boolean {
  const { user, system } = process.cpuUsage(computed);
  return (user + system) / 1000 > MILLISECONDS / 2;
}

/** Charges for a string of `length` characters, before it is made. */
export function spendText(length: number): void {
  characters -= length;
  if (!(characters >= 0)) throw new JinjaError(`it makes more than ${CHARACTERS} characters of text`);
  spendSteps(1 + Math.floor(length / 1000));
}
