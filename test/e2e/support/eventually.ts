import { setTimeout as delay } from 'node:timers/promises';
import { wait } from './patience.ts';

/**
 * Tries until it succeeds: what a person sees in an editor comes when it comes.
 *
 * @throws Error with the last failure, after `seconds`
 */
export async function eventually<T>(what: string, attempt: () => Promise<T> | T, seconds = 90): Promise<T> {
  const deadline = Date.now() + wait(seconds);
  // What takes long is asked for less and less often.
  for (let pause = 50; ; pause = Math.min(1.3 * pause, 500)) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) {
        throw new Error(`after ${wait(seconds) / 1000} s it is still not so that ${what}`, { cause: error });
      }
      await delay(pause);
    }
  }
}
