// A server of the Model Context Protocol over standard input and output, for tests, as the specification has it: newline
// delimited JSON-RPC. `node mcp-server.mjs [MISCHIEF]`: what it does wrong, if anything, and when.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [mischief = ''] = process.argv.slice(2);
const write = (line) => process.stdout.write(`${line}\n`);
const say = (message) => write(JSON.stringify({ jsonrpc: '2.0', ...message }));
const text = (said, more = {}) => ({ content: [{ type: 'text', text: said }], ...more });
const schema = (properties) => ({
  $schema: 'http://json-schema.org/draft-07/schema#',
  type: 'object',
  properties,
  required: Object.keys(properties),
});
const number = { type: 'number' };

let count = 0;
/** What it was told besides the requests. */
const heard = [];
const tools = {
  add: {
    description: 'Adds two numbers.',
    inputSchema: schema({ a: number, b: number }),
    call: ({ a, b }) => (typeof a === 'number' && typeof b === 'number' ? text(`${a + b}`) : undefined),
  },
  count: {
    description: 'Counts its calls.',
    inputSchema: schema({}),
    call: () => text(`${++count}`),
  },
  fail: { inputSchema: schema({}), call: () => text('It went wrong.', { isError: true }) },
  show: {
    inputSchema: schema({}),
    call: () => ({
      content: [
        { type: 'text', text: 'one' },
        { type: 'image', data: 'AAAA', mimeType: 'image/png' },
        { type: 'resource', resource: { uri: 'a:b', text: 'two' } },
        { type: 'resource_link', uri: 'file:///three', name: 'three' },
      ],
    }),
  },
  figures: { inputSchema: schema({}), call: () => ({ content: [], structuredContent: { sum: 3 } }) },
  environment: { inputSchema: schema({}), call: () => text(JSON.stringify([process.env, process.cwd()])) },
  heard: { inputSchema: schema({}), call: () => text(JSON.stringify(heard)) },
  flood: { inputSchema: schema({}), call: () => text('y'.repeat(100_000)) },
  // Somebody who is to end with it, and has a group of his own.
  child: {
    inputSchema: schema({ file: { type: 'string' } }),
    call({ file }) {
      const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });
      writeFileSync(file, String(other.pid));
      return text('started');
    },
  },
};
const names = Object.keys(tools);

/** What it does wrong with a request. @returns whether that was all */
function wrong(method, id) {
  const [when, what] = mischief.includes(':') ? mischief.split(':') : ['tools/call', mischief];
  if (method !== when) return false;
  const answer = (result) => say({ id, result });
  const deeds = {
    hang: () => {},
    end: () => {
      process.stderr.write('I have had enough.\n');
      process.exit(3);
    },
    print: () => write('Starting up!'),
    long: () => write('x'.repeat(2 * 1024 * 1024)),
    endless: () => setInterval(() => process.stdout.write('x'.repeat(65_536)), 0),
    many: () => {
      for (let i = 0; i < 3000; i++) say({ method: 'notifications/message', params: { level: 'info', data: i } });
    },
    number: () => answer({ content: 5 }),
    words: () => answer({ content: [{ type: 'text', text: 5 }] }),
    other: () => say({ id: id + 1000, result: text('for somebody else') }),
    refuse: () => say({ id, error: { code: -32_602, message: 'No such thing.' } }),
    revision: () =>
      answer({ protocolVersion: '1999-01-01', capabilities: {}, serverInfo: { name: 'a', version: '1' } }),
    pages: () => answer({ tools: [], nextCursor: 'again' }),
    crowd: () => answer({ tools: Array.from({ length: 65 }, (_, i) => ({ name: `t${i}`, inputSchema: {} })) }),
  };
  const deed = deeds[what];
  if (deed === undefined) return false;
  deed();
  return true;
}

function answer({ method, id, params = {} }) {
  if (wrong(method, id)) return;
  if (method === 'initialize') {
    const { protocolVersion, capabilities } = params;
    heard.push({ protocolVersion, capabilities });
    say({ id, result: { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'test', version: '1' } } });
  } else if (method === 'tools/list') {
    // Three a page.
    const from = Number(params.cursor ?? 0);
    const page = names.slice(from, from + 3).map((name) => {
      const { description, inputSchema } = tools[name];
      return { name, description, inputSchema };
    });
    const more = from + 3 < names.length ? { nextCursor: String(from + 3) } : {};
    say({ id, result: { tools: page, ...more } });
  } else if (method === 'tools/call') {
    const result = tools[params.name]?.call(params.arguments);
    // Logs come in between, and are nobody's answer.
    say({ method: 'notifications/message', params: { level: 'info', data: params.name } });
    if (result === undefined) say({ id, error: { code: -32_602, message: 'These are no such arguments.' } });
    else say({ id, result });
  } else say({ id, error: { code: -32_601, message: `no ${method}` } });
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line);
  if (message.method !== undefined && message.id !== undefined) return answer(message);
  heard.push(message.method ?? { id: message.id, result: message.result, code: message.error?.code });
  if (message.method !== 'notifications/initialized') return;
  say({ id: 'p', method: 'ping' });
  say({ id: 'r', method: 'roots/list' });
});
