/** The question of `CoLA: Train…` about workers. */
import { availableParallelism } from 'node:os';
import type { Session } from './session.ts';

/** Says who computes, which is asked where there is more than one core. @returns whether it was asked */
export async function chooseWorkers(session: Session, who: RegExp): Promise<boolean> {
  if (availableParallelism() < 2) return false;
  const offer = session.workbench.pick(who).first();
  await offer.waitFor();
  await session.look('workers');
  await offer.click();
  return true;
}
