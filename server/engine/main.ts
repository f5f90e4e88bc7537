/** The engine's process: answers whoever forked it, and ends with them, or with its runs where it is to outlive them. */

import { untrustedFlag } from '../protocol/channel/trust.ts';
import { protocolErrors } from '../protocol/errors.ts';
import { outliveArgument } from '../store/outliving.ts';
import { Engine } from './engine.ts';
import { outlive } from './outlive.ts';

const { send } = process;
if (send === undefined) {
  process.stderr.write(`${protocolErrors.message('the engine is started by the language server').describe()}\n`);
  process.exit(2);
}

const engine = new Engine((message) => {
  // Whoever listened may have hung up and the news not be here yet. Unheard, that error would end the process before
  // its runs are saved.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}, !process.argv.includes(untrustedFlag));

let closing = false;
async function close(): Promise<void> {
  if (closing) return;
  closing = true;
  // Runs are saved.
  await engine.close();
  process.exit(0);
}

process.on('message', (message) => engine.receive(message));
const outlives = process.argv.includes(outliveArgument);
if (outlives) outlive(engine, close);
else process.on('disconnect', close);
process.on('SIGTERM', close);
process.on('SIGINT', close);
process.on('SIGHUP', () => {
  if (!outlives) void close();
});
// Whoever read the streams may be gone before the runs are saved.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
