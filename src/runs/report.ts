/** Texts for a person to read: Markdown that is shown rendered, and nothing on the disk. */
import { commands, EventEmitter, Uri, workspace } from 'vscode';
import { t } from '../l10n.ts';
import type { Studio } from '../studio.ts';

const scheme = 'cola-report';

export class Reports {
  private readonly texts = new Map<string, string>();
  private readonly changed = new EventEmitter<Uri>();

  constructor(studio: Studio) {
    studio.context.subscriptions.push(
      this.changed,
      workspace.registerTextDocumentContentProvider(scheme, {
        onDidChange: this.changed.event,
        provideTextDocumentContent: ({ path }) =>
          this.texts.get(path) ?? `${t('This report is gone. Make it again.')}\n`,
      }),
    );
  }

  /** Shows a report, in place of an earlier one of that name. */
  async show(name: string, markdown: string): Promise<void> {
    const uri = Uri.from({ scheme, path: `/${name}.md` });
    this.texts.set(uri.path, markdown);
    this.changed.fire(uri);
    await commands.executeCommand('markdown.showPreview', uri);
  }
}
