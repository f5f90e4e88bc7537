/** Errors of messages between processes, and of the engine as the others see it. */
import { ColaError, catalogue } from '../errors.ts';
import type { WireError } from './channel/request.ts';

export { ColaError, catalogue };

const restart = 'Run "CoLA: Restart Server". If it happens again, report it with the log.';

export const protocolErrors = catalogue('protocol', {
  message: (detail: string) => [`A message between the parts of CoLA Studio cannot be understood: ${detail}.`, restart],
  method: (method: string) => [
    `There is no request ${JSON.stringify(method.slice(0, 100))}.`,
    'The extension and its server are of different versions: reload the window.',
  ],
  params: (method: string, path: string, detail: string) => [
    `The request ${method} has a value that is not valid: ${path === '' ? '' : `"${path}": `}${detail}.`,
    'Correct it. If you did not write it yourself, report it with the log.',
  ],
  result: (method: string, detail: string) => [`The answer to ${method} cannot be understood: ${detail}.`, restart],
  internal: (detail: string) => [
    `Something went wrong in CoLA Studio: ${detail}.`,
    'Report it with the log; what is saved is safe.',
  ],
  tooMany: (most: number) => [`More than ${most} requests are under way at once.`, restart],
  system: (reason: string) => [
    `The system refused to work with a file: ${reason}.`,
    'Check that its name is right and that you may read and write there.',
  ],
  cancelled: () => ['The request was cancelled.', 'Ask again.'],
});

/** What the system says of a file that it refuses, be it for its name. */
function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const unnameable = error.code === 'ERR_INVALID_ARG_VALUE' && error.message.includes('null bytes');
  return 'syscall' in error || unnameable ? error.message : undefined;
}

/** An error for a person where the system refused a file; undefined for all others. */
export function refusalBehind(error: unknown): ColaError | undefined {
  const refused = error instanceof ColaError ? undefined : refusalOf(error);
  return refused === undefined ? undefined : protocolErrors.system(refused.slice(0, 300));
}

/** The error as it travels. Whatever is not of the catalogue is a mistake of ours. */
export function toWire(error: unknown): WireError {
  if (error instanceof ColaError) return error.toJSON();
  const aborted = error instanceof Error && error.name === 'AbortError';
  if (aborted) return protocolErrors.cancelled().toJSON();
  const refused = refusalBehind(error);
  if (refused !== undefined) return refused.toJSON();
  return protocolErrors.internal(error instanceof Error ? error.message : String(error)).toJSON();
}

/** The error as it was before it travelled. */
export function fromWire({ id, message, remedy }: WireError): ColaError {
  return new ColaError(id, message, remedy);
}
