/** `CoLA: Evaluate…`: the measures of `cola evaluate`, beside everything else, as a page to read. */
import { dirname, join } from 'node:path';
import { ProgressLocation, type QuickPickItem, Uri, window, workspace } from 'vscode';
import { evaluate, type Measure, measures, type ReceivedOf } from '../../server/protocol/index.ts';
import { registerCommand } from '../commands.ts';
import { folderWords, needTrust, pickFolder } from '../folders.ts';
import { t } from '../l10n.ts';
import { type ModelShelf, modelFrom, pickModel } from '../models.ts';
import { setting } from '../settings.ts';
import { modelName } from '../status-text.ts';
import type { Studio } from '../studio.ts';
import { type Evaluated, evaluationReport, measureNotes } from './evaluate-report.ts';
import type { Reports } from './report.ts';
import { folderOf, keyFrom } from './run-key.ts';
import { diskFolders, type RunBook } from './runs.ts';

type Target = Pick<ReceivedOf<typeof evaluate>, 'folder' | 'root'> & { readonly name: string; readonly ofRun: boolean };
type Answer<T> = QuickPickItem & { readonly value: T };

const what = t('A measurement');

export function registerEvaluate(studio: Studio, shelf: ModelShelf, runs: RunBook, reports: Reports): void {
  registerCommand(studio, 'cola.evaluate', async (given) => {
    needTrust(what);
    const target = targetFrom(given) ?? (await pickTarget(studio, shelf, runs));
    if (target === undefined) return;
    const asked = await askWhat(target);
    if (asked === undefined) return;
    const found = await measure(studio, target, asked);
    const { name } = target;
    await reports.show(t('Evaluation of {name}', { name }), evaluationReport(name, found));
    const choice = await window.showInformationMessage(t('{name} is measured.', { name }), t('Open as JSON'));
    if (choice === undefined) return;
    const content = `${JSON.stringify(found.json, null, 2)}\n`;
    await window.showTextDocument(await workspace.openTextDocument({ content, language: 'json' }));
  });
}

/** A run or a model that the command was given by a view. */
function targetFrom(given: unknown): Target | undefined {
  const run = keyFrom(given);
  if (run !== undefined) return { folder: folderOf(run).fsPath, root: run.root, name: run.run, ofRun: true };
  const model = modelFrom(given);
  return model === undefined ? undefined : targetOfModel(model);
}

function targetOfModel({ name, folder }: { readonly name: string; readonly folder: string }): Target {
  const holding = workspace.getWorkspaceFolder(Uri.file(folder))?.uri.fsPath;
  const root = holding ?? diskFolders()[0]?.uri.fsPath ?? dirname(folder);
  const ofRun = dirname(dirname(folder)) === join(root, '.cola', 'runs');
  return { folder, root, name: modelName(name), ofRun };
}

async function pickTarget(studio: Studio, shelf: ModelShelf, runs: RunBook): Promise<Target | undefined> {
  const finished = (await runs.list()).filter(({ done }) => done);
  const model: Answer<Target | undefined> = { label: t('$(package) A model…'), value: undefined };
  const items = finished.map(
    (run): Answer<Target | undefined> => ({
      label: `$(graph) ${run.run}`,
      description: [t('on what the run held out'), ...folderWords(run.root)].join(' · '),
      value: { folder: run.path, root: run.root, name: run.run, ofRun: true },
    }),
  );
  const chosen =
    items.length === 0
      ? model
      : await window.showQuickPick([...items, model], { placeHolder: t('What should be measured?') });
  if (chosen !== model) return chosen?.value;
  const picked = await pickModel(studio, shelf, t('Which model should be measured?'), () => true);
  return picked === undefined ? undefined : targetOfModel(picked);
}

type Asked = Pick<ReceivedOf<typeof evaluate>, 'measures' | 'data' | 'prompts' | 'limit'>;

/** Which measures; for a model that is of no run also on what. */
async function askWhat({ ofRun, name }: Target): Promise<Asked | undefined> {
  const usual: readonly Measure[] = ofRun ? ['accuracy', 'codebook', 'marginal'] : ['codebook', 'marginal'];
  const items = measures
    .filter((measure) => ofRun || (measure !== 'forgetting' && measure !== 'cost'))
    .map(
      (measure): Answer<Measure> => ({
        label: measure,
        description: measureNotes[measure],
        picked: usual.includes(measure),
        value: measure,
      }),
    );
  const title = t('Evaluate {name}', { name });
  const chosen = await window.showQuickPick(items, { title, canPickMany: true, placeHolder: t('Which measures?') });
  if (chosen === undefined || chosen.length === 0) return undefined;
  const asked = chosen.map(({ value }) => value);
  if (ofRun) return { measures: asked };
  const needsTask = asked.some((measure) => measure === 'accuracy' || measure === 'pass@k');
  const prompts = needsTask ? await askTask(title) : undefined;
  const needsText = asked.some((measure) => measure !== 'accuracy' && measure !== 'pass@k');
  const data = needsText ? await askText(title) : undefined;
  if ((needsTask && prompts === undefined) || (needsText && data === undefined)) return undefined;
  return {
    measures: asked,
    limit: 64,
    ...(prompts === undefined ? {} : { prompts }),
    ...(data === undefined ? {} : { data }),
  };
}

async function askTask(title: string): Promise<string | undefined> {
  const items: Answer<string>[] = [
    { label: t('countdown'), description: t('one short line'), value: 'countdown:compact' },
    { label: t('countdown, with thoughts'), description: t("the paper's format"), value: 'countdown:paper' },
    { label: 'arithmetic', value: 'arithmetic' },
  ];
  return (await window.showQuickPick(items, { title, placeHolder: t('Which task are prompts taken from?') }))?.value;
}

/** @returns a file of text that the model has not learned; undefined where the person chose none */
export async function askText(title: string): Promise<string | undefined> {
  const folder = await pickFolder(what);
  const [file] =
    (await window.showOpenDialog({
      title: t('{title}: held-out text', { title }),
      openLabel: t('Measure on This'),
      ...(folder === undefined ? {} : { defaultUri: folder.uri }),
      filters: { 'Text and JSON lines': ['txt', 'md', 'jsonl'], 'All files': ['*'] },
    })) ?? [];
  return file?.fsPath;
}

async function measure(studio: Studio, { folder, root, name }: Target, asked: Asked): Promise<Evaluated> {
  const threads = setting('cola.threads');
  const device = setting('cola.device');
  const options = {
    location: ProgressLocation.Notification,
    title: t('Measuring {name}', { name }),
    cancellable: true,
  };
  const params = { folder, root, device, ...(threads > 0 ? { threads } : {}), ...asked };
  return window.withProgress(options, async (progress, token) =>
    studio.request(evaluate, params, token, ({ text }) => progress.report({ message: text })),
  );
}
