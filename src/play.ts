/** `CoLA: Play an Environment…`: which one, which world, and with which model. */
import { relative, sep } from 'node:path';
import { type QuickPickItem, QuickPickItemKind, type Uri, type WorkspaceFolder, window, workspace } from 'vscode';
import { z } from 'zod';
import type { PlaySetup } from '../server/protocol/index.ts';
import { registerCommand } from './commands.ts';
import { needTrust, pickFolder } from './folders.ts';
import { t } from './l10n.ts';
import { type ModelShelf, pickModel } from './models.ts';
import type { conversationPanels } from './panels/conversation-panel.ts';
import { setting } from './settings.ts';
import { modelName } from './status-text.ts';
import { absoluteModel, type Studio } from './studio.ts';
import { builtInEnvironments } from './train/spec-templates.ts';
import { findSpecs } from './train/specs.ts';

/** Answers given beforehand; what is missing is asked. */
const given = z.object({
  environment: z.string().min(1).max(4096).optional(),
  seed: z.int().nonnegative().optional(),
  /** Null plays without one. */
  model: z.string().min(1).max(4096).nullable().optional(),
});

const what = t('An environment');
const exampleAddress = 'ws://127.0.0.1:8000';
/** Bytes of a spec that are looked through. */
const mostRead = 100_000;

export function registerPlay(studio: Studio, shelf: ModelShelf, panels: ReturnType<typeof conversationPanels>): void {
  registerCommand(studio, 'cola.play', async (target) => {
    needTrust(what);
    const folder = await pickFolder(what);
    if (folder === undefined) return;
    const answers = given.safeParse(target).data ?? {};
    const environment =
      answers.environment ?? (await pickEnvironment(folder, { names: builtInEnvironments, specs: true }));
    if (environment === undefined) return;
    const seed = answers.seed ?? (await askSeed());
    if (seed === undefined) return;
    const model = answers.model === undefined ? await askModel(studio, shelf) : answers.model;
    if (model === undefined) return;
    const root = folder.uri.fsPath;
    const setup: PlaySetup = { root, environment, seed, side: 'seen', model };
    panels.show({ kind: 'play', setup, model: model === null ? null : modelName(model) });
  });
}

type Item = QuickPickItem & { readonly value: () => Promise<string | undefined> };

const environmentNotes: Readonly<Record<(typeof builtInEnvironments)[number], string>> = {
  household: t('Rooms, places and things: go to, take, put, open, clean, heat, cool.'),
  'guess-the-rule': t('Three numbers obey a hidden rule; two tools, try and answer.'),
};

/** What is offered beside what is the person's own. */
interface Offer {
  readonly names: readonly (typeof builtInEnvironments)[number][];
  /** Whether environments of run specs are offered too. */
  readonly specs: boolean;
}

/** @returns as `cola play` takes it; undefined where the person chose none */
export async function pickEnvironment(folder: WorkspaceFolder, { names, specs }: Offer): Promise<string | undefined> {
  const items: Item[] = names.map((name) => ({
    label: name,
    detail: environmentNotes[name],
    value: async () => name,
  }));
  const found = specs ? await specsWithEnvironment(folder) : [];
  const heading = (label: string): Item => ({ label, kind: QuickPickItemKind.Separator, value: async () => undefined });
  const ofSpecs = found.map((path): Item => ({ label: `$(file) ${path}`, value: async () => path }));
  if (ofSpecs.length > 0) items.push(heading(t('environments of run specs')), ...ofSpecs);
  items.push(
    heading(t('your own')),
    {
      label: t('$(file-code) A module…'),
      detail: t('A file that exports an environment.'),
      value: () => askModule(folder),
    },
    { label: t('$(plug) A server of OpenEnv…'), detail: exampleAddress, value: askAddress },
  );
  const options = { placeHolder: t('Which environment?'), matchOnDetail: true };
  return (await window.showQuickPick(items, options))?.value();
}

/** Paths from the folder of its specs in which an agent acts. */
async function specsWithEnvironment(folder: WorkspaceFolder): Promise<string[]> {
  const inside = (await findSpecs()).filter((uri) => workspace.getWorkspaceFolder(uri) === folder);
  const paths = await Promise.all(
    inside.map(async (uri) => {
      const text = new TextDecoder().decode((await workspace.fs.readFile(uri)).subarray(0, mostRead));
      return /^\s*(?:-\s*)?environment\s*:/m.test(text) ? [pathIn(folder, uri)] : [];
    }),
  );
  return paths.flat().sort((a, b) => a.localeCompare(b));
}

const pathIn = (folder: WorkspaceFolder, uri: Uri) => relative(folder.uri.fsPath, uri.fsPath).split(sep).join('/');

async function askModule(folder: WorkspaceFolder): Promise<string | undefined> {
  const [file] =
    (await window.showOpenDialog({
      defaultUri: folder.uri,
      filters: { JavaScript: ['mjs', 'js', 'cjs'] },
      openLabel: t('Take This'),
    })) ?? [];
  return file === undefined ? undefined : pathIn(folder, file);
}

const askAddress = async () =>
  window.showInputBox({
    title: t('A server of OpenEnv'),
    prompt: t('Address of a server that runs; one on another machine has to be allowed in COLA_OPENENV_HOSTS'),
    value: exampleAddress,
    validateInput: (text) => (/^(?:ws|http)s?:\/\/./.test(text) ? undefined : t('Write it as {0}.', exampleAddress)),
  });

async function askSeed(): Promise<number | undefined> {
  const text = await window.showInputBox({
    title: t('Play: which world'),
    prompt: t('A whole number; the same one is the same world'),
    value: '1',
    validateInput: (given) => (/^\d{1,9}$/.test(given.trim()) ? undefined : t('Write a whole number from 0 on.')),
  });
  return text === undefined ? undefined : Number(text.trim());
}

/** @returns null for none; undefined where the person broke off */
async function askModel(studio: Studio, shelf: ModelShelf): Promise<string | null | undefined> {
  // It is loaded with the first completion.
  const completes = studio.status?.model ?? setting('cola.model');
  type Choice = QuickPickItem & { readonly value: () => Promise<string | null | undefined> };
  const items: Choice[] = [
    { label: t('$(person) No model'), detail: t('You take every turn.'), value: async () => null },
    {
      label: `$(hubot) ${modelName(completes)}`,
      detail: t('The model that completes. You take turns, or let it.'),
      value: async () => absoluteModel(completes),
    },
    {
      label: t('$(package) Another model…'),
      value: async () => (await pickModel(studio, shelf, t('Which model plays?'), () => true))?.folder,
    },
  ];
  return (await window.showQuickPick(items, { placeHolder: t('With which model?') }))?.value();
}
