/** Measuring latent actions with the command line that comes with the extension: a process with a list of arguments, and no shell. */
import { ProcessExecution, Task, TaskScope, tasks, workspace } from 'vscode';
import { studioErrors } from '../errors.ts';
import { needTrust } from '../folders.ts';
import { actionsArguments } from '../runs/measure-arguments.ts';
import { rootsOfWorkspace } from '../runs/runs.ts';
import type { Studio } from '../studio.ts';

/**
 * Starts `cola actions`, whose output shows in a terminal.
 *
 * @param text file of text that the model has not learned; undefined for what its run held out
 * @throws studio.untrusted, studio.variable
 */
export async function measureActions(studio: Studio, model: string, text: string | undefined): Promise<void> {
  needTrust('Measuring latent actions');
  const [cwd] = rootsOfWorkspace();
  const args = actionsArguments(studio.context.asAbsolutePath('dist/cola.js'), model, text);
  // In a task the editor replaces these, and some run a command.
  for (const part of [...args, cwd ?? '']) if (part.includes('${')) throw studioErrors.variable(part);
  // The editor's own program is a Node too.
  const options = { ...(cwd === undefined ? {} : { cwd }), env: { ELECTRON_RUN_AS_NODE: '1' } };
  const execution = new ProcessExecution(process.execPath, args, options);
  const scope = workspace.workspaceFolders?.[0] ?? TaskScope.Global;
  const task = new Task({ type: 'cola', task: 'actions' }, scope, 'measure latent actions', 'CoLA', execution, []);
  await tasks.executeTask(task);
}
