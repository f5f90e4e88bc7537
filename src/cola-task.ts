/** The command line that comes with the extension, as a task: a process with a list of arguments, and no shell. */
import {
  ProcessExecution,
  Task,
  type TaskDefinition,
  type TaskProvider,
  TaskScope,
  tasks,
  type WorkspaceFolder,
  workspace,
} from 'vscode';
import { studioErrors } from './errors.ts';
import { needTrust } from './folders.ts';
import { diskFolders } from './runs/runs.ts';
import type { Studio } from './studio.ts';
import { findSpecs } from './train/specs.ts';

/** Of tasks in `tasks.json`, and where they show. */
const type = 'cola';
const source = 'CoLA';

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
  const [folder] = diskFolders();
  const all = args(studio.context.asAbsolutePath('dist/cola.js'));
  const task = new Task({ type, task: kind }, folder ?? TaskScope.Global, name, source, processOf(all, folder), []);
  task.isBackground = stays === true;
  await tasks.executeTask(task);
}

/** @throws studio.variable */
function processOf(args: readonly string[], folder: WorkspaceFolder | undefined): ProcessExecution {
  const cwd = folder?.uri.fsPath;
  // In a task the editor replaces these, and some run a command.
  for (const part of [...args, cwd ?? '']) if (part.includes('${')) throw studioErrors.variable(part);
  // The editor's own program is a Node too.
  const options = { ...(cwd === undefined ? {} : { cwd }), env: { ELECTRON_RUN_AS_NODE: '1' } };
  return new ProcessExecution(process.execPath, [...args], options);
}

/** What `tasks.json` may ask for, as the manifest declares it. */
interface TrainTask extends TaskDefinition {
  readonly task: 'train';
  /** The run spec, from the folder. */
  readonly spec: string;
}

const isTrainTask = (definition: TaskDefinition): definition is TrainTask =>
  definition.task === 'train' && typeof definition.spec === 'string' && definition.spec !== '';

/** Training as tasks of VS Code: one for each run spec of a trusted workspace, and those that its `tasks.json` names. */
export function registerTasks(studio: Studio): void {
  const train = (definition: TrainTask, folder: WorkspaceFolder): Task => {
    const args = [studio.context.asAbsolutePath('dist/cola.js'), 'train', definition.spec];
    // What is wrong with a spec is said with its place.
    return new Task(definition, folder, `train ${definition.spec}`, source, processOf(args, folder), ['$cola']);
  };
  const provider: TaskProvider = {
    async provideTasks() {
      if (!workspace.isTrusted) return [];
      const found = await findSpecs();
      return found.flatMap((uri) => {
        const folder = workspace.getWorkspaceFolder(uri);
        const spec = workspace.asRelativePath(uri, false);
        return folder === undefined || spec.includes('${') ? [] : [train({ type, task: 'train', spec }, folder)];
      });
    },
    resolveTask({ definition, scope }) {
      if (!workspace.isTrusted || !isTrainTask(definition)) return undefined;
      const folder = typeof scope === 'object' ? scope : diskFolders()[0];
      return folder === undefined ? undefined : train(definition, folder);
    },
  };
  studio.context.subscriptions.push(tasks.registerTaskProvider(type, provider));
}
