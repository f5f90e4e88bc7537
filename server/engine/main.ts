/** The engine's process: answers whoever forked it, and ends with them. */
import { protocolErrors } from '../protocol/errors.ts';
import { Engine } from './engine.ts';

const { send } = process;
if (send === undefined) {
  process.stderr.write(`${protocolErrors.message('the engine is started by the language server').describe()}\n`);
  process.exit(2);
}

const engine = new Engine((message) => {
  if (process.connected) process.send?.(message);
});

let closing = false;
async function close(): Promise<void> {
  if (closing) return;
  closing = true;
  // Runs are saved.
  await engine.close();
  process.exit(0);
}

process.on('message', (message) => engine.receive(message));
process.on('disconnect', close);
process.on('SIGTERM', close);
process.on('SIGINT', close);
