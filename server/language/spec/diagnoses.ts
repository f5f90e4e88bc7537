/** Keeps the problems of open run specs up to date while they are typed. */
import type { PublishDiagnosticsParams } from 'vscode-languageserver';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { diagnose, diagnoseMissing } from './diagnostics.ts';
import { fileOf, specName } from './uri.ts';

/** Changes within so many milliseconds are looked at together. */
const pause = 50;
/** Problems of the text do not wait longer for a disk. */
const waiting = 150;

export class Diagnoses {
  private readonly due = new Map<string, NodeJS.Timeout>();

  /**
   * @param open the text of a run spec as it is now; undefined for what is closed or none
   * @param send tells the editor
   */
  constructor(
    private readonly open: (uri: string) => TextDocument | undefined,
    private readonly send: (params: PublishDiagnosticsParams) => void,
  ) {}

  /** However often a text changes, no more than one look at it is due. */
  changed(uri: string): void {
    if (this.due.has(uri) || this.open(uri) === undefined) return;
    const timer = setTimeout(() => {
      this.due.delete(uri);
      void this.look(uri);
    }, pause);
    this.due.set(uri, timer);
  }

  closed(uri: string): void {
    clearTimeout(this.due.get(uri));
    this.due.delete(uri);
    this.send({ uri, diagnostics: [] });
  }

  private async look(uri: string): Promise<void> {
    const document = this.open(uri);
    if (document === undefined) return;
    const { version } = document;
    const text = document.getText();
    const file = fileOf(uri);
    const wrong = diagnose(text, specName(uri));
    const first = setTimeout(() => this.send({ uri, version, diagnostics: wrong }), waiting);
    const missing = file === undefined ? [] : await diagnoseMissing(text, file);
    clearTimeout(first);
    // What was found is of a text that is no more; the next look is due.
    if (this.open(uri)?.version !== version) return;
    this.send({ uri, version, diagnostics: [...wrong, ...missing] });
  }
}
