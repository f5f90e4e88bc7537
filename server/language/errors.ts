/** Errors of the language server. */
import { catalogue } from '../errors.ts';

export const serverErrors = catalogue('server', {
  untrusted: (what: string) => [
    `${what} runs what is in this folder, and the folder is not trusted.`,
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
  closed: () => ['CoLA Studio is shutting down.', 'Reload the window to start it again.'],
});
