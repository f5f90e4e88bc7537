/** Brings VS Code into the cache ahead of its use. */
import { bringEditor } from './editor.ts';

await bringEditor(console.log);
