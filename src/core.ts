/** The status-bar item, and the commands that are there whatever else is. */
import {
  commands,
  type Disposable,
  env,
  MarkdownString,
  type QuickPickItem,
  QuickPickItemKind,
  StatusBarAlignment,
  ThemeColor,
  window,
  workspace,
} from 'vscode';
import { notice, runEvent } from '../server/protocol/index.ts';
import { registerCommand } from './commands.ts';
import { languageHere, type Snooze } from './completion/snooze.ts';
import type { CommandName } from './contributions/index.ts';
import { diagnosticsText } from './diagnostics.ts';
import type { FeedbackTuning } from './feedback/tuning.ts';
import { folderWords } from './folders.ts';
import { t } from './l10n.ts';
import { commandLink, escaped } from './markdown.ts';
import { underWay } from './runs/run-progress.ts';
import type { RunBook, RunUnderWay } from './runs/runs.ts';
import { setting } from './settings.ts';
import { type Health, modelName, stateWord, statusDetails, statusText } from './status-text.ts';
import type { Studio } from './studio.ts';

/** Milliseconds between updates of the item, and between those while a run takes many short steps. */
const patience = { any: 200, steps: 1000 };

export function registerCore(studio: Studio, runs: RunBook, tuning: FeedbackTuning, snooze: Snooze): void {
  const item = new StatusItem(studio, runs, tuning);
  studio.context.subscriptions.push(item);
  registerCommand(studio, 'cola.showLog', () => studio.log.show());
  registerCommand(studio, 'cola.restartServer', () => studio.restart());
  registerCommand(studio, 'cola.showStatus', () => showActions(studio, runs, item.health, snooze));
  registerCommand(studio, 'cola.createDiagnostics', async () => {
    const text = await diagnosticsText(studio);
    const document = await workspace.openTextDocument({ content: text, language: 'markdown' });
    await window.showTextDocument(document);
  });
}

class StatusItem {
  private readonly item = window.createStatusBarItem('cola.status', StatusBarAlignment.Right, 90);
  private readonly disposables: Disposable[] = [this.item];
  private lastEvent: string | null = null;
  private readonly timers: { any?: NodeJS.Timeout | undefined; steps?: NodeJS.Timeout | undefined } = {};
  /** What `when` clauses were told last, as text. */
  private told = '';

  constructor(
    private readonly studio: Studio,
    private readonly runs: RunBook,
    private readonly tuning: FeedbackTuning,
  ) {
    this.item.name = 'CoLA Studio';
    this.item.command = 'cola.showStatus';
    const soon = () => this.soon();
    this.disposables.push(
      studio.onStatus(soon),
      studio.onConnection(soon),
      runs.onDidChange(() => this.soon('steps')),
      tuning.onDidChange(soon),
    );
    studio.on(notice, ({ message }) => this.note(message));
    studio.on(runEvent, ({ run, event }) => {
      if (event.kind === 'state') this.note(`${run} ${event.message ?? stateWord(event.state)}`);
      else if (event.kind === 'checkpoint') this.note(t('{0} saved at step {1}', run, event.step));
    });
    this.show();
    this.item.show();
  }

  get health(): Health {
    const { connection, why, status } = this.studio;
    const [first, ...others] = this.runs.underWay;
    const run = first === undefined ? undefined : { name: first.key.run, progress: first.progress };
    return {
      connection,
      why,
      status,
      run,
      others: others.length,
      model: setting('cola.model'),
      policy: this.tuning.state,
      lastEvent: this.lastEvent,
    };
  }

  dispose(): void {
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    for (const each of this.disposables) each.dispose();
  }

  private note(text: string): void {
    const time = new Date().toLocaleTimeString(env.language, { hour: '2-digit', minute: '2-digit' });
    this.lastEvent = `${text.replace(/\.$/, '')} (${time})`;
    this.soon();
  }

  private soon(what: keyof typeof patience = 'any'): void {
    this.timers[what] ??= setTimeout(() => {
      this.timers[what] = undefined;
      this.show();
    }, patience[what]);
  }

  private show(): void {
    const { health } = this;
    const { text, label, severity } = statusText(health);
    this.item.text = text;
    this.item.accessibilityInformation = { label, role: 'button' };
    this.item.backgroundColor = severity === 'ok' ? undefined : new ThemeColor(`statusBarItem.${severity}Background`);
    this.item.tooltip = tooltip(health, this.runs.underWay[0]);
    const [ready, training] = [health.connection === 'up', health.run !== undefined];
    const told = `${ready} ${training}`;
    if (told === this.told) return;
    this.told = told;
    void commands.executeCommand('setContext', 'cola.ready', ready);
    void commands.executeCommand('setContext', 'cola.training', training);
  }
}

/** Commands that the tooltip has links to. */
const linked = [
  'cola.showLog',
  'cola.restartServer',
  'cola.openDashboard',
  'cola.resumeRun',
  'cola.pauseRun',
  'cola.stopRun',
] as const satisfies CommandName[];

function tooltip(health: Health, run: RunUnderWay | undefined): MarkdownString {
  const text = new MarkdownString('', true);
  text.isTrusted = { enabledCommands: linked };
  text.appendMarkdown('**CoLA Studio**\n\n');
  for (const line of statusDetails(health)) text.appendMarkdown(`${escaped(line)}\n\n`);
  const links = [
    commandLink(t('$(output) Log'), 'cola.showLog'),
    commandLink(t('$(debug-restart) Restart'), 'cola.restartServer'),
  ];
  if (run !== undefined) {
    const { key, progress } = run;
    links.unshift(
      commandLink(t('$(graph) Dashboard'), 'cola.openDashboard', key),
      progress.state === 'paused'
        ? commandLink(t('$(debug-continue) Resume'), 'cola.resumeRun', key)
        : commandLink(t('$(debug-pause) Pause'), 'cola.pauseRun', key),
      commandLink(t('$(debug-stop) Stop'), 'cola.stopRun', key),
    );
  }
  text.appendMarkdown(`---\n\n${links.join(' · ')}`);
  return text;
}

interface Choice extends QuickPickItem {
  readonly command?: string;
  readonly args?: readonly unknown[];
}

/** Everything that can be done, what concerns the run under way first. */
async function showActions(studio: Studio, runs: RunBook, health: Health, snooze: Snooze): Promise<void> {
  const group = (label: string): Choice => ({ label, kind: QuickPickItemKind.Separator });
  const choices: Choice[] = [];
  for (const { key, progress } of runs.underWay) {
    if (!underWay(progress.state)) continue;
    choices.push(group(key.run));
    const description = [key.run, ...folderWords(key.root)].join(' · ');
    const paused = progress.state === 'paused';
    choices.push(
      { label: t('$(graph) Dashboard'), description, command: 'cola.openDashboard', args: [key] },
      paused
        ? { label: t('$(debug-continue) Resume'), description, command: 'cola.resumeRun', args: [key] }
        : { label: t('$(debug-pause) Pause'), description, command: 'cola.pauseRun', args: [key] },
      {
        label: t('$(debug-stop) Stop'),
        description: t('saves {run} first', { run: key.run }),
        command: 'cola.stopRun',
        args: [key],
      },
    );
  }
  if (studio.connection === 'up') {
    choices.push(
      group(t('Model')),
      {
        label: t('$(package) Select Model…'),
        description: modelName(health.status?.model ?? health.model),
        command: 'cola.selectModel',
      },
      { label: t('$(symbol-color) Show Latent Actions'), command: 'cola.showActions' },
      { label: t('$(list-tree) Open Tree'), command: 'cola.openTree' },
      group(t('Training')),
      { label: t('$(add) Train…'), command: 'cola.train' },
      { label: t('$(beaker) Evaluate…'), command: 'cola.evaluate' },
    );
    // Not first: what stands first is done by Enter alone.
    const here = languageHere();
    choices.push(group(t('Completion')));
    if (here !== undefined) {
      const label = here.on
        ? t('$(circle-slash) Completion Off for {id}', { id: here.id })
        : t('$(check) Completion On for {id}', { id: here.id });
      choices.push({ label, description: t('in your settings'), command: 'cola.toggleCompletionHere' });
    }
    choices.push(
      snooze.on
        ? {
            label: t('$(bell) Completion On Again'),
            description: t('off until {words}', { words: snooze.words }),
            command: 'cola.snoozeCompletion',
          }
        : { label: t('$(bell-slash) Completion Off for Half an Hour'), command: 'cola.snoozeCompletion' },
    );
  }
  choices.push(
    group('CoLA Studio'),
    { label: t('$(book) First Five Minutes'), command: 'cola.openWalkthrough' },
    { label: t('$(output) Show Log'), command: 'cola.showLog' },
    { label: t('$(debug-restart) Restart Server'), command: 'cola.restartServer' },
    { label: t('$(checklist) Create Diagnostics'), command: 'cola.createDiagnostics' },
    {
      label: t('$(gear) Settings'),
      command: 'workbench.action.openSettings',
      args: [`@ext:${studio.context.extension.id}`],
    },
  );
  const [first] = statusDetails(health);
  const chosen = await window.showQuickPick(choices, { placeHolder: first, matchOnDescription: true });
  if (chosen?.command !== undefined) await commands.executeCommand(chosen.command, ...(chosen.args ?? []));
}
