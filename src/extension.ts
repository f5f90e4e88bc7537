/** Where the editor starts and ends the extension. */

// First: other modules have words in them that are read as soon as they are loaded.
import './speak.ts';
import type { ExtensionContext } from 'vscode';
import { registerChat } from './chat/index.ts';
import { registerParticipant } from './chat/participant.ts';
import { registerTasks } from './cola-task.ts';
import { registerCompletion } from './completion/index.ts';
import { registerCore } from './core.ts';
import { registerFeedback } from './feedback/index.ts';
import { ModelShelf, registerModels } from './models.ts';
import { conversationPanels } from './panels/conversation-panel.ts';
import { registerPlay } from './play.ts';
import { registerDashboard } from './runs/dashboard.ts';
import { registerEvaluate } from './runs/evaluate.ts';
import { registerExport } from './runs/export.ts';
import { Reports } from './runs/report.ts';
import { registerRuns } from './runs/run-commands.ts';
import { RunBook } from './runs/runs.ts';
import { Studio } from './studio.ts';
import { registerFit } from './train/fit.ts';
import { registerTrain } from './train/train.ts';
import { registerTree } from './tree.ts';
import { registerViews } from './views/index.ts';
import { registerWalkthrough } from './walkthrough.ts';

let studio: Studio | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  studio = new Studio(context);
  context.subscriptions.push(studio);
  const runs = new RunBook(studio);
  const reports = new Reports(studio);
  const shelf = new ModelShelf(studio, runs);
  context.subscriptions.push(runs);
  const { events, control, snooze } = registerCompletion(studio);
  const { tuning, collector } = registerFeedback(studio, events);
  registerCore(studio, runs, tuning, snooze);
  registerRuns(studio, runs);
  registerFit(studio, reports);
  registerModels(studio, shelf);
  registerTrain(studio, shelf);
  registerTasks(studio);
  registerEvaluate(studio, shelf, runs, reports);
  registerExport(studio, shelf);
  registerViews(studio, runs, shelf);
  const conversations = conversationPanels(studio);
  registerPlay(studio, shelf, conversations);
  registerDashboard(studio, runs, reports, conversations);
  registerWalkthrough(studio);
  registerTree(studio);
  registerChat(studio, shelf, control);
  registerParticipant(studio, control, collector);
  await studio.start();
}

export async function deactivate(): Promise<void> {
  await studio?.dispose();
}
