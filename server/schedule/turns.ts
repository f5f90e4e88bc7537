/** Work that is written as a promise, as a job of the scheduler. */
import type { Job } from './scheduler.ts';

/** Awaited between runs of the device: lets others go first. */
export type Turn = () => Promise<void>;

/**
 * A job that does `work`, standing at every `turn()` until the scheduler asks for the next step.
 *
 * @param work calls `turn` one at a time, and ends soon after its signal is aborted
 */
export async function* inTurns<T>(work: (turn: Turn) => Promise<T>): Job<T> {
  let standing: () => void = () => {};
  let goOn: () => void = () => {};
  let stands = new Promise<'standing'>((resolve) => {
    standing = () => resolve('standing');
  });
  const turn: Turn = () =>
    new Promise((resolve) => {
      goOn = resolve;
      standing();
    });
  const outcome = work(turn).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  for (;;) {
    const next = await Promise.race([outcome, stands]);
    if (next !== 'standing') {
      if ('error' in next) throw next.error;
      return next.value;
    }
    yield;
    stands = new Promise((resolve) => {
      standing = () => resolve('standing');
    });
    goOn();
  }
}
