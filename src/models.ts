/** Models: which there are, which completes, and where others come from. */
import { isAbsolute, relative, sep } from 'node:path';
import {
  ConfigurationTarget,
  commands,
  type Event,
  EventEmitter,
  env,
  ProgressLocation,
  type QuickPickItem,
  QuickPickItemKind,
  Uri,
  window,
  workspace,
} from 'vscode';
import { type ListedModel, listModels, loadModel } from '../server/protocol/index.ts';
import { startCola } from './cola-task.ts';
import { registerCommand } from './commands.ts';
import { studioErrors } from './errors.ts';
import { folderWords } from './folders.ts';
import { t } from './l10n.ts';
import { downloadCommand, inGroups, modelFacts, sourceWords, titleOf } from './model-words.ts';
import { folderOf, keyFrom } from './runs/run-key.ts';
import { diskFolders, type RunBook, rootsOfWorkspace } from './runs/runs.ts';
import { serveArguments } from './runs/task-arguments.ts';
import { setting } from './settings.ts';
import { modelName } from './status-text.ts';
import { absoluteModel, type Studio } from './studio.ts';

const imported = 'cola.importedModels';

/** Every model that can be chosen. */
export class ModelShelf {
  private readonly changed = new EventEmitter<void>();

  constructor(
    private readonly studio: Studio,
    runs: RunBook,
  ) {
    studio.context.subscriptions.push(this.changed);
    runs.onDidChangeModels(() => this.changed.fire());
  }

  get onDidChange(): Event<void> {
    return this.changed.event;
  }

  async list(): Promise<ListedModel[]> {
    const { models } = await this.studio.request(listModels, { roots: rootsOfWorkspace(), folders: this.folders });
    // An imported folder may lie in the workspace too.
    return models.filter(({ folder }, i) => models.findIndex((each) => each.folder === folder) === i);
  }

  get folders(): string[] {
    return this.studio.context.globalState.get<string[]>(imported, []);
  }

  async add(folder: string): Promise<void> {
    await this.remember([...this.folders.filter((each) => each !== folder), folder]);
  }

  async forget(folder: string): Promise<void> {
    await this.remember(this.folders.filter((each) => each !== folder));
  }

  private async remember(folders: string[]): Promise<void> {
    await this.studio.context.globalState.update(imported, folders);
    this.changed.fire();
  }
}

export function registerModels(studio: Studio, shelf: ModelShelf): void {
  registerCommand(studio, 'cola.selectModel', async () => {
    const model = await pickModel(studio, shelf, t('Which model completes?'), () => true);
    if (model?.latent === true) await use(studio, model.name);
    else if (model !== undefined) await offerTraining(model, t('{0} has no latent actions yet', titleOf(model)));
  });
  registerCommand(studio, 'cola.useModel', async (target) => {
    const run = keyFrom(target);
    const folder = run === undefined ? modelFrom(target)?.name : Uri.joinPath(folderOf(run), 'model').fsPath;
    if (folder === undefined) await commands.executeCommand('cola.selectModel');
    else await use(studio, folder);
  });
  registerCommand(studio, 'cola.serveModel', async (target) => {
    const model =
      modelFrom(target) ?? (await pickModel(studio, shelf, t('Which model answers other programs?'), () => true));
    if (model !== undefined) await serve(studio, model);
  });
  registerCommand(studio, 'cola.loadModel', () => load(studio));
  registerCommand(studio, 'cola.importModel', async () => {
    const folder = await importModel(shelf);
    if (folder !== undefined) void offer(studio, shelf, folder);
    return folder;
  });
  registerCommand(studio, 'cola.forgetModel', async (target) => {
    const model = modelFrom(target);
    if (model !== undefined) await shelf.forget(model.folder);
  });
  registerCommand(studio, 'cola.revealModel', async (target) => {
    const model = modelFrom(target) ?? (await pickModel(studio, shelf, t('Which model?'), () => true));
    if (model !== undefined) await commands.executeCommand('revealFileInOS', Uri.file(model.folder));
  });
}

/** A model that a command was given: an entry of the view. */
export function modelFrom(target: unknown): { readonly name: string; readonly folder: string } | undefined {
  if (typeof target !== 'object' || target === null || !('folder' in target) || !('name' in target)) return undefined;
  const { name, folder } = target;
  return typeof name === 'string' && typeof folder === 'string' ? { name, folder } : undefined;
}

/** Starts `cola serve`, which says in its terminal where it answers and to whom. */
function serve(studio: Studio, { name }: { readonly name: string }): Promise<void> {
  const args = (cola: string) => serveArguments(cola, name);
  return startCola(studio, {
    kind: 'serve',
    name: `serve ${modelName(name)}`,
    what: t('Serving a model'),
    args,
    stays: true,
  });
}

type Item = QuickPickItem & { readonly model?: ListedModel; readonly act?: () => Promise<string | undefined> };

/** @returns undefined where the person chose none */
export async function pickModel(
  studio: Studio,
  shelf: ModelShelf,
  placeHolder: string,
  can: (model: ListedModel) => boolean,
): Promise<ListedModel | undefined> {
  const loaded = studio.status?.model;
  const groups = inGroups((await shelf.list()).filter(can));
  const items = groups.flatMap(({ heading, models }): Item[] => [
    { label: heading, kind: QuickPickItemKind.Separator },
    ...models.map((model) => itemOf(model, model.folder === loaded)),
  ]);
  const others: Item[] = [
    { label: t('elsewhere'), kind: QuickPickItemKind.Separator },
    { label: t('$(folder-opened) Import a folder…'), act: () => importModel(shelf) },
    { label: t('$(file) Import a GGUF file…'), act: () => importFile(shelf) },
    {
      label: t('$(terminal) Copy the command that downloads another'),
      description: downloadCommand,
      detail: t(
        'In a terminal, with the name of a model of huggingface.co. What it downloads is listed here afterwards.',
      ),
      act: copyDownload,
    },
  ];
  const options = { placeHolder, matchOnDescription: true, matchOnDetail: true };
  const chosen = await window.showQuickPick<Item>([...items, ...others], options);
  if (chosen?.model?.problem !== undefined) {
    void window.showWarningMessage(t('{0} is not read. {1}', titleOf(chosen.model), chosen.model.problem));
    return undefined;
  }
  if (chosen?.act === undefined) return chosen?.model;
  const folder = await chosen.act();
  return folder === undefined ? undefined : (await shelf.list()).find((model) => model.folder === folder && can(model));
}

function itemOf(model: ListedModel, loaded: boolean): Item {
  const icon = loaded ? 'pass-filled' : model.problem === undefined ? 'package' : 'warning';
  return {
    label: `$(${icon}) ${titleOf(model)}`,
    description: [
      ...(loaded ? [t('loaded')] : []),
      sourceWords[model.source],
      ...folderWords(model.folder),
      ...modelFacts(model),
    ].join(' · '),
    detail: model.problem ?? (model.source === 'builtin' ? '' : model.folder),
    model,
  };
}

async function copyDownload(): Promise<undefined> {
  await env.clipboard.writeText(downloadCommand);
  void window.showInformationMessage(
    t('{downloadCommand} is in the clipboard. Nothing is downloaded by CoLA Studio itself.', { downloadCommand }),
  );
}

/** Makes a model the one that completes: the setting is changed, and the server loads it. */
async function use(studio: Studio, name: string): Promise<void> {
  const [folder] = diskFolders();
  const inside = folder === undefined || name.startsWith('builtin:') ? undefined : relative(folder.uri.fsPath, name);
  const value =
    inside === undefined || inside.startsWith('..') || isAbsolute(inside) ? name : inside.split(sep).join('/');
  if (value === setting('cola.model')) {
    await load(studio);
    return;
  }
  const target = folder === undefined ? ConfigurationTarget.Global : ConfigurationTarget.Workspace;
  // The change reaches the server as any other one of the settings.
  await workspace.getConfiguration().update('cola.model', value, target);
}

async function load(studio: Studio): Promise<void> {
  const model = setting('cola.model');
  const threads = setting('cola.threads');
  const options = {
    folder: absoluteModel(model),
    device: setting('cola.device'),
    precision: setting('cola.precision'),
    ...(threads > 0 ? { threads } : {}),
  };
  const title = t('Loading {0}', modelName(model));
  await window.withProgress({ location: ProgressLocation.Window, title }, () => studio.request(loadModel, options));
}

/** @returns the file; undefined where the person chose none */
async function importFile(shelf: ModelShelf): Promise<string | undefined> {
  const [chosen] =
    (await window.showOpenDialog({ filters: { 'GGUF files': ['gguf'] }, openLabel: t('Import Model') })) ?? [];
  if (chosen === undefined) return undefined;
  await shelf.add(chosen.fsPath);
  return chosen.fsPath;
}

/** @returns the folder; undefined where the person chose none. @throws studio.noModelIn */
async function importModel(shelf: ModelShelf): Promise<string | undefined> {
  const [chosen] =
    (await window.showOpenDialog({
      canSelectFolders: true,
      canSelectFiles: false,
      canSelectMany: false,
      openLabel: t('Import Model'),
      title: t('A Hugging Face folder: config.json, model.safetensors, tokenizer.json'),
    })) ?? [];
  if (chosen === undefined) return undefined;
  const names = new Set((await workspace.fs.readDirectory(chosen)).map(([name]) => name));
  const weights = [...names].some((name) => /^model.*\.safetensors(\.index\.json)?$/.test(name));
  const latent = names.has('cola.json');
  const adapter = names.has('adapter_config.json') && names.has('adapter_model.safetensors');
  if (!latent && !adapter && !(names.has('config.json') && weights)) throw studioErrors.noModelIn(chosen.fsPath);
  await shelf.add(chosen.fsPath);
  return chosen.fsPath;
}

async function offer(studio: Studio, shelf: ModelShelf, folder: string): Promise<void> {
  const model = (await shelf.list()).find((each) => each.folder === folder);
  if (model === undefined) return;
  if (!model.latent) {
    await offerTraining(model, t('{0} is in the list of models. It has no latent actions yet', titleOf(model)));
    return;
  }
  const choice = await window.showInformationMessage(t('{0} is in the list of models.', titleOf(model)), t('Use It'));
  if (choice !== undefined) await use(studio, folder);
}

async function offerTraining(model: ListedModel, what: string): Promise<void> {
  const choice = await window.showInformationMessage(t('{what}; training gives it some.', { what }), t('Train…'));
  if (choice !== undefined) await commands.executeCommand('cola.trainModel', model);
}
