/** Pages of the tree explorer: each asks the server about one search, which the extension knows and the page does not choose. */
import { commands, Disposable, env, type TextEditor, Uri, window, workspace } from 'vscode';
import { protocolErrors } from '../../server/protocol/errors.ts';
import {
  closeSearch,
  describeSearch,
  exportSearch,
  extendSearch,
  inspectNode,
  type SearchKey,
  searchEvent,
  searchId,
  searchVerbs,
  startSearch,
  type TreeDraft,
  type TreeEvent,
  type TreeSubject,
  type TuneFromPath,
  treeCopy,
  treeDraftNew,
  treeEvent,
  treeExport,
  treeInsert,
  treeRead,
  treeReady,
  treeStart,
  treeSubject,
  treeTune,
  treeTurned,
  treeWaiting,
} from '../../server/protocol/index.ts';
import { studioErrors } from '../errors.ts';
import { pickFolder } from '../folders.ts';
import { t } from '../l10n.ts';
import { searchName, searchTitle } from '../search-name.ts';
import { modelName } from '../status-text.ts';
import type { Studio } from '../studio.ts';
import { BranchTexts, branchScheme } from './branch-texts.ts';
import type { PageHost } from './page-host.ts';
import { type OpenPage, PagePanels } from './page-panels.ts';

export const noDraft: TreeDraft = { prompt: '', row: {}, language: '' };

/** Simulations that a new search begins with. */
const firstSimulations = 64;
const tuneCommand = 'cola.tuneFromPath';

/** Whether a person writes there: a branch that is read takes no text. */
const isWritten = ({ document }: TextEditor) => document.uri.scheme !== branchScheme;

export class TreePanels {
  private readonly panels: PagePanels<TreeSubject>;
  private readonly branches: BranchTexts;
  /** The latest word of each search. */
  private readonly events = new Map<string, TreeEvent>();
  /** Where text is inserted: a page that has the focus hides which editor had it before. */
  private editor: TextEditor | undefined = window.activeTextEditor;

  constructor(private readonly studio: Studio) {
    this.branches = new BranchTexts(studio);
    this.panels = new PagePanels(studio, {
      viewType: 'cola.tree',
      page: 'tree',
      subject: treeSubject,
      nothing: { key: null, draft: noDraft },
      title: ({ key }) => (key === null ? t('New Search') : t('Tree: {0}', searchTitle(key.search))),
      key: ({ key }) => (key === null ? undefined : searchId(key)),
      attach: (page) => this.attach(page),
    });
    studio.on(searchEvent, ({ root, search, ...event }) => this.heard({ root, search }, event));
    // A new server knows of no search that runs.
    studio.context.subscriptions.push(
      this.branches,
      studio.onServerUp(() => this.stopped()),
      window.onDidChangeActiveTextEditor((editor) => {
        if (editor !== undefined && isWritten(editor)) this.editor = editor;
      }),
    );
  }

  show(subject: TreeSubject): void {
    this.panels.show(subject);
  }

  private heard(key: SearchKey, event: TreeEvent): void {
    this.events.set(searchId(key), event);
    for (const { subject, host } of this.panels.pages) {
      if (subject.key !== null && searchId(subject.key) === searchId(key)) host.tell(treeEvent, event);
    }
  }

  private stopped(): void {
    for (const { subject } of this.panels.pages) {
      const event = subject.key === null ? undefined : this.events.get(searchId(subject.key));
      if (subject.key !== null && event?.end === null) this.heard(subject.key, { ...event, end: 'cancelled' });
    }
  }

  private attach(page: OpenPage<TreeSubject>): Disposable {
    const { studio } = this;
    const { host } = page;
    const key = (): SearchKey => {
      if (page.subject.key === null) throw protocolErrors.params('page/tree', 'search', 'there is none yet');
      return page.subject.key;
    };
    host.answer(treeReady, async () => {
      const { subject } = page;
      const { key } = subject;
      const search = key === null ? null : await this.saying(host, () => studio.request(describeSearch, key));
      const event = key === null ? undefined : this.events.get(searchId(key));
      const tunes = search?.world === null && (await commands.getCommands(true)).includes(tuneCommand);
      return { subject, search, event: event ?? null, canTune: tunes };
    });
    host.answer(treeStart, async (params) => {
      const folder = await pickFolder(t('Search'));
      if (folder === undefined) throw protocolErrors.cancelled();
      const made = { root: folder.uri.fsPath, search: searchName(params.prompt) };
      await this.saying(host, () => studio.request(startSearch, { ...made, ...params }));
      const draft = { ...page.subject.draft, prompt: params.prompt };
      page.turnTo({ key: made, draft });
      await studio.request(extendSearch, { ...made, simulations: firstSimulations });
      host.tell(treeTurned, {});
      return {};
    });
    host.answer(treeDraftNew, async () => {
      const { prompt } = await studio.request(describeSearch, key());
      this.show({ key: null, draft: { ...page.subject.draft, prompt } });
      return {};
    });
    for (const [asked, verb] of searchVerbs) {
      host.answer(asked, (params) => studio.request(verb, { ...key(), ...(params as object) }));
    }
    host.answer(treeExport, async (params) => {
      const { format } = params;
      const name = Uri.joinPath(Uri.file(key().root), `${key().search}.${format}`);
      const file = await window.showSaveDialog({ defaultUri: name, filters: { [format.toUpperCase()]: [format] } });
      if (file === undefined) return {};
      const text = format === 'svg' ? params.text : (await studio.request(exportSearch, { ...key(), format })).text;
      await workspace.fs.writeFile(file, Buffer.from(text));
      return {};
    });
    host.answer(treeInsert, async ({ text }) => {
      await this.insert(text);
      return {};
    });
    host.answer(treeCopy, async ({ text }) => {
      await env.clipboard.writeText(text);
      return {};
    });
    host.answer(treeRead, async ({ node }) => {
      await this.branches.show(key(), node, page.subject.draft.language);
      return {};
    });
    host.answer(treeTune, async ({ node }) => {
      if (!(await commands.getCommands(true)).includes(tuneCommand)) throw studioErrors.noTuner();
      const [{ prompt }, { path }] = await Promise.all([
        studio.request(describeSearch, key()),
        studio.request(inspectNode, { ...key(), node }),
      ]);
      const text = path.map((step) => step.text).join('');
      await commands.executeCommand(tuneCommand, { ...key(), node, prompt, text } satisfies TuneFromPath);
      return {};
    });
    return new Disposable(() => void this.left(page.subject));
  }

  /** Tells a page what it waits for while it waits. */
  private async saying<T>(host: PageHost, work: () => Promise<T>): Promise<T> {
    const { studio } = this;
    const say = () => {
      const loading = studio.status?.loading ?? null;
      const what = studio.status === undefined ? 'engine' : loading === null ? 'search' : 'model';
      host.tell(treeWaiting, { for: what, model: loading === null ? null : modelName(loading) });
    };
    say();
    const heard = [studio.onStatus(say), studio.onConnection(say)];
    try {
      return await work();
    } finally {
      for (const each of heard) each.dispose();
    }
  }

  /** A search that stands still needs no memory once nobody looks at it. */
  private async left({ key }: TreeSubject): Promise<void> {
    if (key === null || this.studio.status?.engine !== 'ready') return;
    if (this.events.get(searchId(key))?.end === null) return;
    try {
      await this.studio.request(closeSearch, key);
    } catch (error) {
      this.studio.log.warn(`The search ${key.search} stays in memory: ${String(error)}`);
    }
  }

  /** @throws studio.noEditor */
  private async insert(text: string): Promise<void> {
    const visible = window.visibleTextEditors.filter(isWritten);
    const editor = visible.find((each) => each === this.editor) ?? visible[0];
    const document = editor?.document ?? this.editor?.document;
    if (document === undefined || document.isClosed) throw studioErrors.noEditor();
    const shown = editor ?? (await window.showTextDocument(document));
    await shown.edit((edit) => edit.replace(shown.selection, text));
  }
}
