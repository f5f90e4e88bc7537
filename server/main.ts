/** The language server's process, over the channel of node (`--node-ipc`) or standard streams (`--stdio`). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { LanguageServer } from './language/server.ts';

// Beside the bundle; when run from its sources, in them.
const bundled = join(import.meta.dirname, 'engine.js');
const entry = existsSync(bundled)
  ? { file: bundled }
  : { file: join(import.meta.dirname, 'engine', 'main.ts'), execArgv: ['--import', 'tsx'] };

const connection = createConnection(ProposedFeatures.all);
new LanguageServer(connection, entry);
connection.listen();
