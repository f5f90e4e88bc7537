/** Waiting for answers without a clock: a busy machine gives more time for the same. */
import { setImmediate, setTimeout } from 'node:timers/promises';

/**
 * Turns of the event loop that may pass without an answer: at least 200 seconds, and as much more as the machine is busy with other
 * things. However long all answers take together, each is waited for while others come.
 */
const mostTurns = 20_000;

/** Waits until nothing is open any more, or nothing more comes. @param open how many are not answered */
export async function settled(open: () => number): Promise<void> {
  for (let [left, turn] = [open(), 0]; left > 0 && turn < mostTurns; turn++) {
    await (turn < 100 ? setImmediate() : setTimeout(10));
    const now = open();
    if (now < left) turn = 0;
    left = now;
  }
}
