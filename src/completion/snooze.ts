/** Completion that is off for a while, or for a language. */
import { type Disposable, window, workspace } from 'vscode';
import { setting } from '../settings.ts';
import { enabledFor } from './provider.ts';

const minutes = 30;

export class Snooze implements Disposable {
  private until = 0;
  private timer: NodeJS.Timeout | undefined;

  /** @param changed told when completion is off, and when it is on again */
  constructor(private readonly changed: () => void) {}

  get on(): boolean {
    return Date.now() < this.until;
  }

  /** When completion is on again, in words. */
  get words(): string {
    return new Date(this.until).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
  }

  /** Off for half an hour; on again where it is off. */
  toggle(): void {
    clearTimeout(this.timer);
    const length = 60_000 * minutes;
    this.until = this.on ? 0 : Date.now() + length;
    if (this.on) this.timer = setTimeout(this.changed, length + 10);
    this.changed();
  }

  dispose(): void {
    clearTimeout(this.timer);
  }
}

/** The language that one works in, and whether completion is on in it. */
export function languageHere(): { readonly id: string; readonly on: boolean } | undefined {
  const document = window.activeTextEditor?.document;
  if (document === undefined) return undefined;
  const { languageId: id } = document;
  return { id, on: enabledFor(setting('cola.completion.languages', document), id) };
}

/** Switches completion on or off for that language, in the settings of the person. */
export async function toggleLanguage(): Promise<void> {
  const here = languageHere();
  if (here === undefined) return;
  const name = 'cola.completion.languages';
  const configuration = workspace.getConfiguration();
  const { globalValue, workspaceValue } = configuration.inspect<Record<string, boolean>>(name) ?? {};
  // Where the folder has a say, a change of the person's own settings would have no effect.
  const ofFolder = workspaceValue !== undefined;
  const before = ofFolder ? workspaceValue : (globalValue ?? {});
  await configuration.update(name, { ...before, [here.id]: !here.on }, !ofFolder);
}
