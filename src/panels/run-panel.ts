/** The run dashboard's side in the extension: it passes questions on to the server, and opens what the page asks for. */
import { commands, Disposable, Uri, ViewColumn, window, workspace } from 'vscode';
import {
  chooseRun,
  compareWith,
  dashboardSubject,
  listRuns,
  openRunFile,
  openSample,
  pauseRun,
  type RunKey,
  type RunSample,
  resumeRun,
  runDetails,
  runEvent,
  runId,
  runKey,
  runMetrics,
  runSamples,
  sampleToConversation,
  sampleToTree,
  showAction,
  stopRun,
} from '../../server/protocol/index.ts';
import { studioErrors } from '../errors.ts';
import { t } from '../l10n.ts';
import type { RunChoice } from '../runs/dashboard.ts';
import { folderOf } from '../runs/run-key.ts';
import type { Studio } from '../studio.ts';
import { PagePanels } from './page-panels.ts';

export interface RunPanelActions {
  /** Opens a comparison of these runs. */
  compare(keys: readonly RunKey[]): void;
  /** Opens an episode turn by turn. */
  conversation(run: RunKey, sample: RunSample): void;
}

const passedOn = [listRuns, runDetails, runMetrics, runSamples, pauseRun, resumeRun, stopRun] as const;

export function runPanels(studio: Studio, choice: RunChoice, actions: RunPanelActions): PagePanels<RunKey | null> {
  return new PagePanels<RunKey | null>(studio, {
    viewType: 'cola.dashboard',
    page: 'run',
    subject: runKey.nullable(),
    nothing: null,
    title: (subject) => (subject === null ? t('Run') : t('Run {run}', { run: subject.run })),
    key: (subject) => (subject === null ? undefined : runId(subject)),
    attach(page) {
      const { host } = page;
      for (const type of passedOn) host.answer(type, (params) => studio.request(type, params as never) as never);
      host.answer(dashboardSubject, async () => ({ subject: page.subject }));
      host.answer(chooseRun, async () => {
        const chosen = await choice.one(t('look at'));
        if (chosen !== undefined) page.turnTo(chosen);
        return { subject: chosen ?? null };
      });
      host.answer(compareWith, async (key) => {
        const keys = await choice.several([key]);
        if (keys.length > 0) actions.compare(keys);
        return {};
      });
      host.answer(openSample, async ({ sample }) => {
        const document = await workspace.openTextDocument({ language: 'markdown', content: sampleText(sample) });
        await window.showTextDocument(document, { viewColumn: ViewColumn.Beside, preview: true });
        return {};
      });
      host.answer(sampleToConversation, async ({ sample }) => {
        if (page.subject === null) throw studioErrors.noRun(t('open'));
        actions.conversation(page.subject, sample);
        return {};
      });
      host.answer(sampleToTree, async ({ prompt }) => {
        await commands.executeCommand('cola.openTree', { prompt, row: {}, language: 'plaintext' });
        return {};
      });
      host.answer(showAction, async (target) => {
        await commands.executeCommand('cola.showActions', target);
        return {};
      });
      host.answer(openRunFile, async ({ file }) => {
        if (page.subject === null) throw studioErrors.noRun(t('open'));
        const folder = folderOf(page.subject);
        if (file === 'folder') await commands.executeCommand('revealFileInOS', folder);
        else await window.showTextDocument(Uri.joinPath(folder, file === 'spec' ? 'spec.yaml' : 'log.txt'));
        return {};
      });
      const listening = studio.on(runEvent, (event) => {
        const { subject } = page;
        if (subject !== null && subject.root === event.root && subject.run === event.run) host.tell(runEvent, event);
      });
      return Disposable.from(listening);
    },
  });
}

/** A sample as a document. */
export function sampleText({ step, stage, prompt, completion, actions, reward, parts, noScore }: RunSample): string {
  const judged = noScore === undefined ? t('reward {0}', reward ?? t('none')) : t('no score: {noScore}', { noScore });
  const list = Object.entries(parts ?? {}).map(([name, value]) => `${name} ${value}`);
  return [
    `# ${t('Sample of step {step}, {stage}', { step, stage })}`,
    [judged, ...list].join(' · '),
    `## ${t('Prompt')}`,
    prompt,
    `## ${t('Completion')}`,
    completion,
    ...(actions.length > 0 ? [`## ${t('Latent actions')}`, actions.join(' ')] : []),
    '',
  ].join('\n\n');
}
