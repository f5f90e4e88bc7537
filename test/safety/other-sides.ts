/** Whom messages are sent to, and what may come back. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import {
  createConnection,
  createMessageConnection,
  type MessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver/node';
import { knownErrorIds } from '../../server/errors.ts';
import { LanguageServer } from '../../server/language/server.ts';
import * as protocol from '../../server/protocol/index.ts';

const isRequest = (value: unknown): value is protocol.RequestType =>
  typeof value === 'object' && value !== null && 'method' in value && 'params' in value && 'result' in value;
/** Everything that can be asked. */
export const requests: readonly protocol.RequestType[] = Object.values<unknown>({ ...protocol }).filter(isRequest);

const known = new Set(knownErrorIds());
/** An error is one of the catalogue, and no mistake of ours. @param also ids of parts that are bundled apart */
export const needKnown = (id: unknown, about: unknown, also?: ReadonlySet<string>) => {
  const isKnown = typeof id === 'string' && (known.has(id) || also?.has(id) === true);
  assert.ok(isKnown, `${String(id)}: ${JSON.stringify(about)}`);
  assert.notEqual(id, 'protocol.internal', JSON.stringify(about));
};

/** A language server in this process, and the editor's end of its channel. */
export function serverAndClient(): { client: MessageConnection; close: () => Promise<void> } {
  const [up, down] = [new PassThrough(), new PassThrough()];
  const connection = createConnection(new StreamMessageReader(up), new StreamMessageWriter(down));
  new LanguageServer(connection, { file: join(import.meta.dirname, 'no-engine.ts') });
  connection.listen();
  const client = createMessageConnection(new StreamMessageReader(down), new StreamMessageWriter(up));
  client.listen();
  const close = async () => {
    await client.sendRequest('shutdown');
    client.dispose();
    connection.dispose();
  };
  return { client, close };
}
