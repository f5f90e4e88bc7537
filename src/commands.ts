/** Commands: the names that exist, and one way to answer a failure. */
import { commands, type Disposable, type Uri, window } from 'vscode';
import { ColaError } from '../server/protocol/errors.ts';
import type { CommandName } from './contributions/index.ts';
import { t } from './l10n.ts';
import { editSpec, openLine, refusalOffers, showLog } from './runs/news-text.ts';
import { openPlace, placeOf } from './runs/place.ts';
import type { Studio } from './studio.ts';

/** Registers a command. A failure becomes a message with its remedy; what the person cancelled says nothing. */
export function registerCommand(
  studio: Studio,
  name: CommandName,
  handler: (...args: unknown[]) => unknown,
): Disposable {
  const registered = commands.registerCommand(name, async (...args: unknown[]) => {
    try {
      return await handler(...args);
    } catch (error) {
      await reportFailure(studio, error);
      return undefined;
    }
  });
  studio.context.subscriptions.push(registered);
  return registered;
}

/** What can be done about an error, at once. */
const remedies: Readonly<Record<string, { readonly label: string; readonly command: string }>> = {
  'studio.down': { label: t('Restart Server'), command: 'cola.restartServer' },
  'engine.gaveUp': { label: t('Restart Server'), command: 'cola.restartServer' },
  'studio.noFolder': { label: t('Open Folder'), command: 'workbench.action.files.openFolder' },
  'studio.untrusted': { label: t('Manage Trust'), command: 'workbench.trust.manage' },
  'server.untrusted': { label: t('Manage Trust'), command: 'workbench.trust.manage' },
  'engine.noModel': { label: t('Select Model'), command: 'cola.selectModel' },
  'studio.noSpec': { label: t('Train…'), command: 'cola.train' },
  'studio.noRun': { label: t('Train…'), command: 'cola.train' },
};

/**
 * Shows a failure with its remedy, and writes it to the log.
 *
 * @param spec what to correct where the message names no place
 */
export async function reportFailure(studio: Studio, error: unknown, spec?: Uri): Promise<void> {
  const known = error instanceof ColaError;
  if (known && error.id === 'protocol.cancelled') return;
  studio.log.error(known ? error.describe() : String(error instanceof Error ? (error.stack ?? error) : error));
  const text = known ? `${error.message} ${error.remedy}` : `CoLA Studio: ${String(error)}`;
  const remedy = known ? remedies[error.id] : undefined;
  const place = known ? placeOf(error.message) : undefined;
  const offers = refusalOffers(remedy?.label, place, known && spec !== undefined);
  const choice = await window.showErrorMessage(text, ...offers);
  if (choice === showLog) studio.log.show();
  else if (choice === editSpec && spec !== undefined) await window.showTextDocument(spec);
  else if (choice === openLine && place !== undefined) await openPlace(place);
  else if (choice !== undefined && remedy !== undefined) await commands.executeCommand(remedy.command);
}
