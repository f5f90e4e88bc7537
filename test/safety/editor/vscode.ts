/**
 * An editor without windows, for handlers of pages: it notes what they make it do. It is bundled as the package `vscode` beside
 * them. What a person is asked they never answer, but for the folder, which there is one of.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

type Anything = Record<string, unknown>;

/** What handlers made the editor do, by kind. */
export const journal = {
  commands: [] as string[],
  written: [] as string[],
  tasks: [] as { process: string; args: readonly string[] }[],
  opened: 0,
  copied: 0,
};

export class Disposable {
  constructor(private readonly end: () => void = () => {}) {}
  static from(...all: Disposable[]): Disposable {
    return new Disposable(() => {
      for (const each of all) each.dispose();
    });
  }
  dispose(): void {
    this.end();
  }
}

export class Uri {
  readonly scheme = 'file';
  constructor(readonly path: string) {}
  static file = (path: string) => new Uri(resolve(path));
  static parse = (text: string) => new Uri(text);
  static from = ({ path }: { path: string }) => new Uri(path);
  static joinPath = (base: Uri, ...parts: string[]) => new Uri(resolve(base.path, ...parts));
  get fsPath(): string {
    return this.path;
  }
  with({ path }: { path?: string }): Uri {
    return new Uri(path ?? this.path);
  }
  toString(): string {
    return pathToFileURL(this.path).href;
  }
}

export class Range {}

export class EventEmitter {
  readonly event = () => new Disposable();
  fire(): void {}
  dispose(): void {}
}

export class CancellationTokenSource {
  readonly token = { isCancellationRequested: false };
  cancel(): void {
    this.token.isCancellationRequested = true;
  }
  dispose(): void {}
}
export class ProcessExecution {
  constructor(
    readonly process: string,
    readonly args: readonly string[],
  ) {}
}

export class Task {
  constructor(
    _definition: unknown,
    _scope: unknown,
    _name: string,
    _source: string,
    readonly execution: unknown,
  ) {}
}

export const ViewColumn = { Active: -1, Beside: -2 };
export const TaskScope = { Global: 1 };
export const OverviewRulerLane = { Left: 1 };

/** A page as the editor's side has it. */
export class Panel {
  title = '';
  iconPath: unknown;
  readonly sent: Anything[] = [];
  private listener: (message: unknown) => void = () => {};
  readonly webview = {
    html: '',
    options: {},
    cspSource: 'x',
    asWebviewUri: (place: Uri) => place,
    onDidReceiveMessage: (listener: (message: unknown) => void) => {
      this.listener = listener;
      return new Disposable();
    },
    postMessage: async (message: Anything) => {
      this.sent.push(message);
      return true;
    },
  };
  receive(message: unknown): void {
    this.listener(message);
  }
  reveal(): void {}
  onDidDispose(): Disposable {
    return new Disposable();
  }
}

/** Pages that were opened, the newest last. */
export const panels: Panel[] = [];

const never = () => new Disposable();
const nothing = async () => undefined;

export const window = {
  activeTextEditor: undefined,
  visibleTextEditors: [],
  createWebviewPanel() {
    const panel = new Panel();
    panels.push(panel);
    return panel;
  },
  registerWebviewPanelSerializer: never,
  onDidChangeActiveTextEditor: never,
  onDidChangeTextEditorVisibleRanges: never,
  onDidChangeVisibleTextEditors: never,
  showQuickPick: nothing,
  showOpenDialog: nothing,
  showInputBox: nothing,
  showInformationMessage: nothing,
  showWarningMessage: nothing,
  showErrorMessage: nothing,
  /** A person chooses the place; what the page proposes is only shown. */
  showSaveDialog: async ({ defaultUri }: { defaultUri: Uri }) =>
    new Uri(resolve(root, `chosen-${defaultUri.path.length}`)),
  showTextDocument: async () => {
    journal.opened++;
    return {};
  },
};

let root = '';
/** The one folder that is open. */
export function openFolder(path: string): void {
  root = path;
  workspace.workspaceFolders = [{ uri: Uri.file(path), name: 'folder', index: 0 }];
}

export const workspace = {
  isTrusted: true,
  workspaceFolders: [] as { uri: Uri; name: string; index: number }[],
  getConfiguration: () => ({ get: () => 'builtin:nano' }),
  getWorkspaceFolder: () => undefined,
  onDidChangeTextDocument: never,
  openTextDocument: async () => ({ positionAt: () => ({}) }),
  registerTextDocumentContentProvider: never,
  fs: {
    writeFile: async (file: Uri) => {
      journal.written.push(file.fsPath);
    },
  },
};

export const commands = {
  getCommands: async () => ['cola.tuneFromPath'],
  executeCommand: async (name: string) => {
    journal.commands.push(name);
  },
};

export const languages = {
  getLanguages: async () => ['plaintext'],
  setTextDocumentLanguage: async (document: unknown) => document,
};

export const tasks = {
  executeTask: async ({ execution }: Task) => {
    if (!(execution instanceof ProcessExecution)) throw new Error('a task is a process with a list of arguments');
    journal.tasks.push(execution);
  },
};

export const env = {
  clipboard: {
    writeText: async () => {
      journal.copied++;
    },
  },
};
