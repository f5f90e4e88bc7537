/** How workers are reached. */
import type { Frame, Outgoing } from './frames.ts';
import type { Hello } from './messages.ts';
import type { Identity } from './program.ts';

/** A worker that is there. */
export interface Link {
  readonly hello: Hello;
  /**
   * Sends a request and waits for its answer; one at a time.
   *
   * @param mostFloats that the answer may have
   * @throws WorkerFault where there is none
   */
  call(message: Outgoing, mostFloats: number): Promise<Frame>;
  /** Ends it, whatever it does; calls then fail. */
  end(): void;
}

export interface Carrier {
  /** What workers have to be. */
  readonly identity: Identity;
  /** @param worker its number, from 0. @throws WorkerFault where it does not come about, cluster.* where none will */
  start(worker: number): Promise<Link>;
  close(): Promise<void>;
}

/** Why a worker is of no more use; another takes its place. */
export class WorkerFault extends Error {}
