/** Commands: the names that exist, and one way to answer a failure. */
import { commands, type Disposable, window } from 'vscode';
import { ColaError } from '../server/protocol/errors.ts';
import type { CommandName } from './contributions/index.ts';
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

/** Shows a failure with its remedy, and writes it to the log. */
export async function reportFailure(studio: Studio, error: unknown): Promise<void> {
  const known = error instanceof ColaError;
  if (known && error.id === 'protocol.cancelled') return;
  studio.log.error(known ? error.describe() : String(error instanceof Error ? (error.stack ?? error) : error));
  const text = known ? `${error.message} ${error.remedy}` : `CoLA Studio: ${String(error)}`;
  const choice = await window.showErrorMessage(text, 'Show Log');
  if (choice !== undefined) studio.log.show();
}
