/** `CoLA: Train…`: a few questions, and a commented run spec beside the person's files. */
import { relative, sep } from 'node:path';
import {
  CancellationTokenSource,
  ProgressLocation,
  type QuickPickItem,
  TabInputText,
  Uri,
  type WorkspaceFolder,
  window,
  workspace,
} from 'vscode';
import { z } from 'zod';
import { listWorkers, type WorkerPlaces } from '../../server/protocol/index.ts';
import { registerCommand } from '../commands.ts';
import { studioErrors } from '../errors.ts';
import { needTrust, pickFolder } from '../folders.ts';
import { t } from '../l10n.ts';
import { type ModelShelf, modelFrom } from '../models.ts';
import { pickEnvironment } from '../play.ts';
import { setting } from '../settings.ts';
import { modelName } from '../status-text.ts';
import { absoluteModel, type Studio } from '../studio.ts';
import { askRows, surveyOf } from './data-questions.ts';
import { proposedGlobs, surveyWords } from './data-words.ts';
import { timeOf } from './fit.ts';
import {
  agentEnvironments,
  type DataChoice,
  type Goal,
  goalNotes,
  goals,
  type RewardName,
  rewardFile,
  rewardModule,
  rewardNames,
  rewardNotes,
  rewardsFor,
  type SpecAnswers,
  specName,
  specText,
} from './spec-templates.ts';
import { type Workers, workerOffers } from './worker-choices.ts';

/** Answers given beforehand, by the walkthrough for one. What is missing is asked. */
const given = z.object({
  goal: z.enum(goals).optional(),
  data: z.enum(['countdown', 'arithmetic']).optional(),
  reward: z.enum(rewardNames).optional(),
  short: z.boolean().optional(),
});
type Given = z.infer<typeof given>;

const what = t('Training');

export function registerTrain(studio: Studio, shelf: ModelShelf): void {
  const train = async (answers: Given, model: string): Promise<Uri | undefined> => {
    needTrust(what);
    const folder = await pickFolder(what);
    return folder === undefined ? undefined : new Questions(studio, shelf, folder, model).ask(answers);
  };
  registerCommand(studio, 'cola.train', (target) => {
    const model = setting('cola.model');
    return train(given.safeParse(target).data ?? {}, model);
  });
  registerCommand(studio, 'cola.trainModel', (target) => train({}, modelFrom(target)?.name ?? setting('cola.model')));
}

type Answer<T> = QuickPickItem & { readonly value: T };

class Questions {
  constructor(
    private readonly studio: Studio,
    private readonly shelf: ModelShelf,
    private readonly folder: WorkspaceFolder,
    private readonly model: string,
  ) {}

  /** @returns the spec that was written; undefined where the person broke off */
  async ask(answers: Given): Promise<Uri | undefined> {
    // A cluster takes its time to answer, in which other questions are asked.
    const places = this.places();
    const latent = await this.isLatent();
    const goal = answers.goal ?? (await this.askGoal(latent));
    if (goal === undefined) return undefined;
    const { judged } = goalNotes[goal];
    const of = judged ? 3 : 2;
    const data = answers.data === undefined ? await this.askData(goal, of) : { kind: answers.data };
    if (data === undefined) return undefined;
    const reward = judged ? (answers.reward ?? (await this.askReward(data))) : null;
    if (reward === undefined) return undefined;
    const short = answers.short ?? false;
    const workers = short ? null : await this.askWorkers(places);
    if (workers === undefined) return undefined;
    return this.write({ goal, data, reward, latent, model: this.modelText(), short, workers });
  }

  private async isLatent(): Promise<boolean> {
    const folder = absoluteModel(this.model);
    const models = await this.shelf.list();
    return models.find((model) => model.folder === folder || model.name === folder)?.latent ?? true;
  }

  private async askGoal(latent: boolean): Promise<Goal | undefined> {
    const order = latent ? goals : (['actions', ...goals.filter((goal) => goal !== 'actions')] as const);
    const items = order.map((goal): Answer<Goal> => {
      const { label, detail } = goalNotes[goal];
      return { label, detail, value: goal };
    });
    const title = t('Train {0}: what to improve (1 of 3)', modelName(this.model));
    return (await window.showQuickPick(items, { title, placeHolder: t('What should become better?') }))?.value;
  }

  private async askData(goal: Goal, of: number): Promise<DataChoice | undefined> {
    if (goal === 'agent') {
      const environment = await pickEnvironment(this.folder, { names: agentEnvironments(this.model), specs: false });
      return environment === undefined ? undefined : { kind: 'environment', environment };
    }
    const items: Answer<() => Promise<DataChoice | undefined>>[] = [];
    for (const kind of goalNotes[goal].data) {
      if (kind === 'countdown' || kind === 'arithmetic') {
        const detail =
          kind === 'countdown'
            ? t('Reach a target with given numbers. Problems are made as they are needed.')
            : t('Sums and products to be worked out. Problems are made as they are needed.');
        items.push({ label: t('The task {kind}', { kind }), detail, value: async () => ({ kind }) });
      } else if (kind === 'workspace') {
        const survey = await surveyOf(this.studio, this.folder.uri.fsPath, absoluteModel(this.model));
        const globs = proposedGlobs(survey);
        const value = async (): Promise<DataChoice> => {
          if (globs.length === 0) throw studioErrors.noText(this.folder.name);
          return { kind, globs };
        };
        items.push({ label: t('The files of this folder'), ...surveyWords(survey), value });
      } else {
        const detail = t('Rows as data sets are published (JSON, CSV, Parquet), or plain text.');
        items.push({ label: t('A file…'), detail, value: () => this.askFile() });
      }
    }
    const title = t('Train: on what data (2 of {of})', { of });
    const chosen = await window.showQuickPick(items, { title, placeHolder: t('What should it learn from?') });
    return chosen?.value();
  }

  private async askFile(): Promise<DataChoice | undefined> {
    const [file] =
      (await window.showOpenDialog({
        defaultUri: this.folder.uri,
        filters: {
          'Rows and text': ['jsonl', 'ndjson', 'json', 'csv', 'tsv', 'parquet', 'gz', 'txt', 'md'],
          'All files': ['*'],
        },
        openLabel: t('Learn from This'),
      })) ?? [];
    return file === undefined ? undefined : askRows(this.studio, file.fsPath, this.pathOf(file.fsPath));
  }

  private async askReward(data: DataChoice): Promise<RewardName | undefined> {
    const fits = data.kind === 'file' ? data.rewards?.[0] : undefined;
    const items = rewardsFor(data).map(
      (name): Answer<RewardName> => ({
        label: name === 'module' ? t('module: my own file') : name,
        ...(name === fits ? { description: t('fits these answers') } : {}),
        detail: rewardNotes[name],
        value: name,
      }),
    );
    const title = t('Train: how to reward (3 of 3)');
    return (await window.showQuickPick(items, { title, placeHolder: t('What makes an answer a good one?') }))?.value;
  }

  /** What could compute beside this process: nothing, where that cannot be found out. */
  private async places(): Promise<WorkerPlaces> {
    try {
      return await this.studio.request(listWorkers, {});
    } catch (error) {
      this.studio.log.warn(String(error));
      return { cores: 1, ray: null };
    }
  }

  private async askWorkers(places: Promise<WorkerPlaces>): Promise<Workers | undefined> {
    const looking = { location: ProgressLocation.Window, title: t('Looking for workers') };
    const offers = workerOffers(await window.withProgress(looking, () => places));
    if (offers.length === 1) return null;
    const title = t('Train: who computes');
    return (await window.showQuickPick(offers, { title, placeHolder: t('Results do not depend on how many.') }))?.value;
  }

  private modelText(): string {
    return this.model.startsWith('builtin:') ? this.model : this.pathOf(absoluteModel(this.model));
  }

  /** As it stands in the spec: relative to it where that is shorter to read. */
  private pathOf(path: string): string {
    const inside = relative(this.folder.uri.fsPath, path).split(sep).join('/');
    return inside.startsWith('..') ? path : `./${inside}`;
  }

  /** The line above the spec says how long its run takes, once its first steps were tried; who closes it need not know. */
  private async showTime(spec: Uri): Promise<void> {
    const title = t('Taking the first steps, to see how long the run takes');
    const closed = new CancellationTokenSource();
    const watch = window.tabGroups.onDidChangeTabs(() => {
      if (!isOpen(spec)) closed.cancel();
    });
    try {
      const found = await window.withProgress({ location: ProgressLocation.Window, title }, () =>
        timeOf(this.studio, spec, closed.token),
      );
      if (typeof found === 'string') this.studio.log.info(`How long ${spec.fsPath} takes is not known: ${found}`);
    } catch (error) {
      // It was not asked for: nothing pops up.
      if (!closed.token.isCancellationRequested) this.studio.log.warn(String(error));
    } finally {
      watch.dispose();
      closed.dispose();
    }
  }

  private async write(answers: SpecAnswers): Promise<Uri> {
    const uri = await free(this.folder.uri, specName(answers));
    const encoder = new TextEncoder();
    if (answers.reward === 'module') {
      const module = Uri.joinPath(this.folder.uri, rewardFile);
      if (!(await exists(module))) await workspace.fs.writeFile(module, encoder.encode(rewardModule));
    }
    await workspace.fs.writeFile(uri, encoder.encode(specText(answers)));
    await window.showTextDocument(uri);
    void this.showTime(uri);
    return uri;
  }
}

/** Whether a file is in a tab of the window. */
const isOpen = (file: Uri): boolean =>
  window.tabGroups.all.some(({ tabs }) =>
    tabs.some(({ input }) => input instanceof TabInputText && input.uri.toString() === file.toString()),
  );

/** A name in the folder that is not taken. */
async function free(folder: Uri, name: string): Promise<Uri> {
  for (let number = 1; ; number++) {
    const uri = Uri.joinPath(folder, `${name}${number === 1 ? '' : `-${number}`}.cola.yaml`);
    if (!(await exists(uri))) return uri;
  }
}

async function exists(uri: Uri): Promise<boolean> {
  try {
    await workspace.fs.stat(uri);
    return true;
  } catch {
    return false;
  }
}
