/** A worker's process: frames come on its standard input and go to its standard output, and it ends when nobody sends any more. */

import { clusterErrors } from './errors.ts';
import { type Frame, FrameReader, type Outgoing } from './frames.ts';
import { WorkerHost } from './worker-host.ts';

const { stdin, stdout } = process;
if (stdin.isTTY || stdout.isTTY) {
  process.stderr.write(`${clusterErrors.byHand().describe()}\n`);
  process.exit(2);
}
// Standard output is for frames alone.
for (const name of ['log', 'info', 'debug'] as const) console[name] = console.error;
// Ctrl+C in a terminal reaches all processes: whether it ends is for the run to say, which then closes the streams.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});

const end = new AbortController();
const host = new WorkerHost(end.signal);

const write = ({ pieces }: Outgoing) => {
  const waits = pieces.map((piece) => new Promise<void>((done) => stdout.write(piece, () => done())));
  return Promise.all(waits);
};

let last: Promise<unknown> = write(host.hello());
const take = (frame: Frame) => {
  last = last.then(async () => write(await host.answer(frame)));
};
const reader = new FrameReader(() => Number.MAX_SAFE_INTEGER, take);
stdin.on('data', (chunk: Buffer) => reader.push(chunk));
const leave = () => {
  end.abort();
  process.exit(0);
};
stdin.on('end', leave);
stdin.on('error', leave);
stdout.on('error', leave);
