import variant from '@jitl/quickjs-wasmfile-release-sync';
import { newQuickJSWASMModuleFromVariant, type QuickJSContext, type QuickJSHandle } from 'quickjs-emscripten-core';
import { prelude } from './sandbox-prelude.ts';
import { testHelpers } from './source.ts';

/**
 * Runs a candidate and its tests in QuickJS compiled to WebAssembly: no files, no network, no clock to wait on, no way to
 * the host except one function that notes a passed test. Every run gets a fresh instance, so nothing one candidate leaves
 * behind (not even a broken heap) meets the next.
 *
 * Stopped inside: endless loops and endless promise jobs (deadline), memory (limit), deep recursion (stack limit),
 * backtracking (deadline). Stopped outside, by killing the process: built-in functions that loop without looking at the
 * deadline, such as sorting an array-like of length 2^53.
 *
 * NOT stopped:
 * - a candidate that recognises the tests' arguments and answers them from a table: that is a matter of better tests;
 * - a candidate that replaces a global, such as `Array = ...`, which a test then uses by name; methods of built-in
 *   prototypes are read-only, but tests should lean on literals and on the helpers;
 * - a test that checks nothing about its result, or compares with what the candidate itself computed;
 * - timing: `Date.now()` and `performance` differences can be observed;
 * - a defect in QuickJS together with one in the engine's WebAssembly; the helper process is no security boundary by itself.
 */

export interface SandboxLimits {
  /** Time for candidate and tests together. */
  timeMs: number;
  memoryMb: number;
}

export interface SandboxResult {
  /** Number of tests passed. */
  passed: number;
  /** True when the time limit ended the run. */
  late: boolean;
}

/** Stack of the interpreter: about 5000 calls of a small function. The thread's own stack must be well above. */
const stackBytes = 1024 * 1024;
const jobsAtOnce = 64;

/** An instance that nothing runs in: as long as somebody has it, V8 has what it compiled, and need not do so again for each run. */
let kept: unknown;

/**
 * @param candidate a script
 * @param tests a function expression as {@link testScript} writes it
 */
export async function runInSandbox(candidate: string, tests: string, limits: SandboxLimits): Promise<SandboxResult> {
  if (kept === undefined) kept = await newQuickJSWASMModuleFromVariant(variant);
  const quickjs = await newQuickJSWASMModuleFromVariant(variant);
  const passed = new Set<number>();
  let deadline = Number.POSITIVE_INFINITY;
  const late = () => performance.now() > deadline;
  try {
    const runtime = quickjs.newRuntime();
    runtime.setMemoryLimit(limits.memoryMb * 1024 * 1024);
    runtime.setMaxStackSize(stackBytes);
    runtime.setInterruptHandler(late);
    const context = runtime.newContext();
    const report = context.newFunction('report', (i) => {
      passed.add(context.getNumber(i));
    });
    const helpers = context.unwrapResult(
      context.callFunction(context.unwrapResult(context.evalCode(prelude, 'prelude.js')), context.undefined, report),
    );
    const helper = (name: string) => context.getProp(helpers, name);
    const runTimer = helper('runTimer');

    deadline = performance.now() + limits.timeMs;
    // A candidate that throws may still have defined what the tests need.
    context.evalCode(candidate, 'candidate.js', { type: 'global' });
    settle(context, undefined, runTimer, late);
    const run = context.evalCode(tests, 'tests.js', { type: 'global' });
    if (run.error) return { passed: 0, late: late() };
    const names = [...testHelpers, 'begin', 'pass'];
    const done = context.callFunction(run.value, context.undefined, ...names.map(helper));
    if (!done.error) settle(context, done.value, runTimer, late);
  } catch (error) {
    // The interpreter itself broke, as on a stack deeper than its own check sees: what had passed has passed.
    if (!(error instanceof Error)) throw error;
  }
  // The instance is dropped, never disposed of: after an interrupted run that would fail on purpose.
  return { passed: passed.size, late: late() };
}

/** Runs promise jobs and timers until the promise is settled (if one is given), nothing is left, or time is up. */
function settle(
  context: QuickJSContext,
  promise: QuickJSHandle | undefined,
  runTimer: QuickJSHandle,
  late: () => boolean,
): void {
  while (!late()) {
    if (promise) {
      const state = context.getPromiseState(promise);
      if (state.type !== 'pending') return;
    }
    if (context.runtime.hasPendingJob()) {
      const jobs = context.runtime.executePendingJobs(jobsAtOnce);
      if (jobs.error) jobs.error.dispose();
      continue;
    }
    const ran = context.callFunction(runTimer, context.undefined);
    if (ran.error || context.dump(ran.value) !== true) return;
  }
}
