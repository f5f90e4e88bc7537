/** The command line that comes with the extension, as a task: a process with a list of arguments, and no shell. */
import { ProcessExecution, Task, TaskScope, tasks, workspace } from 'vscode';
import { studioErrors } from './errors.ts';
import { needTrust } from './folders.ts';
import { rootsOfWorkspace } from './runs/runs.ts';
import type { Studio } from './studio.ts';

/** A task of the command line. */
export interface ColaTask {
  /** Its name among tasks of the type `cola`. */
  readonly kind: string;
  /** What it is called where it shows. */
  readonly name: string;
  /** What needs trust, as the beginning of a sentence. */
  readonly what: string;
  /** The arguments, from the file of the command line. */
  readonly args: (cola: string) => readonly string[];
  /** Whether it goes on until somebody ends it. */
  readonly stays?: boolean;
}

/**
 * Starts it; its output shows in a terminal.
 *
 * @throws studio.untrusted, studio.variable
 */
export async function startCola(studio: Studio, { kind, name, what, args, stays }: ColaTask): Promise<void> {
  needTrust(what);
  const [cwd] = rootsOfWorkspace();
  const all = args(studio.context.asAbsolutePath('dist/cola.js'));
  // In a task the editor replaces these, and some run a command.
  for (const part of [...all, cwd ?? '']) if (part.includes('${')) throw studioErrors.variable(part);
  // The editor's own program is a Node too.
  const options = { ...(cwd === undefined ? {} : { cwd }), env: { ELECTRON_RUN_AS_NODE: '1' } };
  const execution = new ProcessExecution(process.execPath, [...all], options);
  const scope = workspace.workspaceFolders?.[0] ?? TaskScope.Global;
  const task = new Task({ type: 'cola', task: kind }, scope, name, 'CoLA', execution, []);
  task.isBackground = stays === true;
  await tasks.executeTask(task);
}
