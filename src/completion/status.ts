/** The second item of the status bar: the action of the ghost text while there is some, and the mode until it is free. */
import { type Disposable, MarkdownString, StatusBarAlignment, window } from 'vscode';
import { ColaError } from '../../server/protocol/errors.ts';
import { t } from '../l10n.ts';
import type { Control } from './control.ts';
import { type Ghost, listed } from './ghost.ts';
import { strip } from './hover.ts';
import { ghostText, modeMarkdown, modeText, type Names } from './words.ts';

export class CompletionStatus implements Disposable {
  private readonly item = window.createStatusBarItem('cola.completion', StatusBarAlignment.Right, 89);
  private ghost: Ghost | undefined;
  private trouble: string | undefined;
  private wait: string | undefined;

  constructor(
    private readonly control: Control,
    private readonly names: Names,
    /** Until when completion is off; undefined while it is on. */
    private readonly offUntil: () => string | undefined,
  ) {
    this.item.name = t('CoLA Completion');
    this.item.command = 'cola.pickAction';
    control.onChange(() => this.update());
  }

  show(ghost: Ghost | undefined): void {
    this.ghost = ghost;
    this.update();
  }

  /** Why there is no completion; undefined when there is. @returns whether that is news */
  problem(error: unknown): boolean {
    const text = error === undefined ? undefined : describe(error);
    if (text === this.trouble) return false;
    this.trouble = text;
    this.update();
    return true;
  }

  /** What a completion waits for; undefined when it is there. */
  waiting(reason: string | undefined): void {
    if (reason === this.wait) return;
    this.wait = reason;
    this.update();
  }

  dispose(): void {
    this.item.dispose();
  }

  update(): void {
    const { ghost, control, item } = this;
    const text = ghost === undefined ? modeText(control.value, this.names) : this.ghostText(ghost);
    const off = this.offUntil();
    if (off !== undefined) item.text = t('$(bell-slash) no completion until {off}', { off });
    else if (this.wait !== undefined) item.text = `$(loading~spin) ${this.wait}`;
    else item.text = text === '' && this.trouble !== undefined ? t('$(warning) no completion') : text;
    item.accessibilityInformation = {
      label: t('CoLA completion: {0}', item.text.replaceAll(/\$\([a-z-]+\)|◆/g, '').trim()),
    };
    item.tooltip = this.tooltip();
    if (item.text === '') item.hide();
    else item.show();
  }

  private ghostText(ghost: Ghost): string {
    const { offer, index, complete } = ghost;
    // A forced action says nothing about the alternatives: the first that was chosen tells them apart.
    const { tokens, text } = offer.alternatives[index];
    const open = listed({ ...ghost, rotated: false });
    const position = complete ? { at: open.indexOf(index) + 1, of: open.length } : undefined;
    return ghostText(this.control.value, { ...tokens[0], text }, position);
  }

  private tooltip(): MarkdownString {
    const text = new MarkdownString('', true);
    text.supportHtml = true;
    const { ghost } = this;
    if (ghost !== undefined) {
      text.appendMarkdown(`${strip(ghost.offer.alternatives[ghost.index].tokens)}\n\n`);
      text.appendMarkdown(`${t('`Alt+]` next alternative · `Tab` takes it · `Esc` hides it')}\n\n`);
    }
    text.appendMarkdown(modeMarkdown(this.control.value, this.names));
    if (this.trouble !== undefined) text.appendMarkdown('\n\n$(warning) ').appendText(this.trouble);
    return text;
  }
}

function describe(error: unknown): string {
  return error instanceof ColaError ? `${error.message} ${error.remedy}` : String(error);
}
