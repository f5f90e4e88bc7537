/** The folders of the workspace, as the editor tells them: whose `.cola/runs` a run belongs to. */
import { dirname, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodeLensRefreshRequest, type Connection, type InitializeParams } from 'vscode-languageserver';

export class Folders {
  private paths: string[] = [];
  private refreshes = false;

  /** Called while the server is initialised. */
  connect(connection: Connection, { workspaceFolders, capabilities }: InitializeParams): void {
    this.add(workspaceFolders ?? []);
    this.refreshes = capabilities.workspace?.codeLens?.refreshSupport === true;
    if (capabilities.workspace?.workspaceFolders !== true) return;
    connection.onInitialized(() => {
      connection.workspace.onDidChangeWorkspaceFolders(({ added, removed }) => {
        const gone = new Set(removed.flatMap(({ uri }) => pathOf(uri) ?? []));
        this.paths = this.paths.filter((path) => !gone.has(path));
        this.add(added);
      });
    });
  }

  /** The innermost folder of the workspace that holds a file; its own folder where none does. */
  of(file: string): string {
    const holding = this.paths.filter((path) => file.startsWith(path.endsWith(sep) ? path : path + sep));
    return holding.sort((a, b) => b.length - a.length)[0] ?? dirname(file);
  }

  /** Code lenses say what runs there are, and these have changed. */
  refreshLenses(connection: Connection): void {
    if (this.refreshes) void connection.sendRequest(CodeLensRefreshRequest.type).catch(() => {});
  }

  private add(folders: readonly { readonly uri: string }[]): void {
    this.paths.push(...folders.flatMap(({ uri }) => pathOf(uri) ?? []));
  }
}

function pathOf(uri: string): string | undefined {
  return uri.startsWith('file:') ? fileURLToPath(uri) : undefined;
}
