/** Errors of the language server. */
import { catalogue } from '../errors.ts';

export const serverErrors = catalogue('server', {
  untrusted: (what: string) => [
    `${what} uses what is in this folder, and the folder is not trusted.`,
    'Trust it with "Workspaces: Manage Workspace Trust" if you know where it comes from.',
  ],
});

/** What the process that computes could not answer, as seen from here. */
export const engineProcessErrors = catalogue('engine', {
  stopped: (why: string) => [`The engine stopped (${why}).`, 'It is started again; ask once more.'],
  gaveUp: (times: number, why: string) => [
    `The engine stopped ${times} times in a row before it had done anything (${why}).`,
    'Look at the log, then run "CoLA: Restart Server". Another device, "cpu" for one, may work.',
  ],
  abandoned: (what: string, times: number, why: string) => [
    `${what} stopped the engine ${times} times in a row (${why}) and is left alone now.`,
    'What is saved is safe. Try a smaller batch, a smaller model or another device, and start it again.',
  ],
  outliving: (run: string) => [
    `The run ${run} goes on in a process that another window has started, and cannot be paused from here.`,
    'Stop it instead: it is saved, and can be resumed any time.',
  ],
  notStopped: (run: string, seconds: number) => [
    `The run ${run} was asked to stop and has not ended within ${seconds} seconds.`,
    'A long step may be under way, after which it will. Its metrics show whether it still moves.',
  ],
  runEnded: (run: string, why: string) => [
    `The process of the run ${run} ended (${why}).`,
    'Resume the run: it goes on from its latest checkpoint. If that happens again, try a smaller batch.',
  ],
  closed: () => ['CoLA Studio is shutting down.', 'Reload the window to start it again.'],
});
