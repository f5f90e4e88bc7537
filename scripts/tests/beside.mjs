// Runs test files, a few beside each other; the next begins as soon as one is done. A process runs a few of them, one after the
// other, and is then replaced: what it has loaded need not be loaded again for each, and no heap grows over all of them. Prints
// every file whole when it ends, then the longest ones, with the time on the clock and that of the processors, and what failed.
// Usage: node scripts/tests/beside.mjs [--config FILE] [--again] [--processes N] [--most FILES] [--alone TEST]...
// [--together TEST]... [--counts FILE] [--nice N] TEST...; a test that is to be alone has a process of its own, as what it measures is
// of the whole process; those that are to be together have one process for all of them, which keeps what they would each make
// anew. With `nice` they give way to what else the machine does. With `again`, files of which something failed are run a second time
// when all others are done, whole and in a process of their own: a test that is tried again in its place finds what it left.
import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { endOfFile } from './end-of-file.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    config: { type: 'string', default: fileURLToPath(new URL('../../.mocharc.json', import.meta.url)) },
    again: { type: 'boolean', default: false },
    processes: { type: 'string', default: '2' },
    most: { type: 'string', default: '16' },
    alone: { type: 'string', multiple: true, default: [] },
    together: { type: 'string', multiple: true, default: [] },
    counts: { type: 'string' },
    nice: { type: 'string', default: '0' },
  },
});
// Those that it starts have it from here.
if (values.nice !== '0') setPriority(Number(values.nice));
const worker = fileURLToPath(new URL('worker.mjs', import.meta.url));
const done = [];
/** What failed at first in files that are run again. */
const failedBefore = new Map();

/** A process that holds more than this is replaced before the next file. */
const mostBytes = 2.5e9;
/** The same for one whose replacement would have to make much anew. */
const mostBytesTogether = 4e9;

const isOneOf = (files) => {
  const set = new Set(files);
  return (file) => set.has(file);
};
const isTogether = isOneOf(values.together);
const together = positionals.filter(isTogether);
const waiting = positionals.filter((file) => !isTogether(file));

/** Runs files until none is left, in one process after the other. */
async function work(waiting, mostFiles, mostBytes) {
  let child;
  let files = 0;
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const alone = values.alone.includes(file);
    if (alone && files > 0) {
      await child.end();
      child = undefined;
      files = 0;
    }
    child ??= begin();
    const { text, outcome } = await child.run(file);
    files++;
    if (outcome.died || alone || files >= mostFiles || outcome.bytes > mostBytes) {
      if (!outcome.died) await child.end();
      child = undefined;
      files = 0;
    }
    const retried = failedBefore.get(file);
    if (values.again && outcome.failed.length > 0 && retried === undefined) failedBefore.set(file, outcome.failed);
    else done.push({ file: relative(process.cwd(), file), ...outcome, retried: retried ?? [] });
    const spent = outcome.died ? '' : `  ${seconds(outcome.seconds)}, ${seconds(outcome.processor)} of processors`;
    // Without colours, which are asked for in the environment of some machines: it is read in logs and by programs.
    const said = stripVTControlCharacters(text).trimEnd().replace(/^\n+/, '');
    console.log(`\n${relative(process.cwd(), file)}${spent}\n${said}`);
  }
  await child?.end();
}

const seconds = (n) => `${n.toFixed(1)} s`;

function begin() {
  // Where a test has collected garbage, V8 begins anew whenever 26 MB of arrays were made since, which is ten times a second where
  // models are trained: a file took twice as long in such a process as in one of its own.
  const heap = '--heap-growing-percent=400';
  const child = fork(worker, [values.config], {
    execArgv: ['--import', 'tsx/esm', '--expose-gc', heap, '--enable-source-maps'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let text = '';
  let settle = () => {};
  const hear = (data) => {
    text += data;
    const at = text.indexOf(endOfFile);
    if (at < 0 || !text.endsWith('\n')) return;
    settle({ text: text.slice(0, at), outcome: JSON.parse(text.slice(at + endOfFile.length)) });
  };
  child.stdout.setEncoding('utf8').on('data', hear);
  child.stderr.setEncoding('utf8').on('data', (data) => {
    text += data;
  });
  // Its exit, and not the close of its pipes, which programs that tests started may still hold.
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`)));
  ended.then(async (how) => {
    // What it wrote last may come behind the word of its end.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const failed = [{ title: `the process of the tests ended: ${how}`, why: text.slice(-2000) }];
    settle({
      text: `${text}\n  ${failed[0].title}`,
      outcome: { passes: 0, failed, seconds: 0, processor: 0, died: true },
    });
  });
  return {
    run(file) {
      text = '';
      return new Promise((resolve) => {
        settle = resolve;
        child.send(file);
      });
    },
    async end() {
      child.disconnect();
      await ended;
    },
  };
}

const begun = Date.now();
const workers = Array.from({ length: Number(values.processes) }, async (_, i) => {
  if (i === 0) await work(together, Number.POSITIVE_INFINITY, mostBytesTogether);
  await work(waiting, Number(values.most), mostBytes);
});
await Promise.all(workers);
await work([...failedBefore.keys()], 1, mostBytes);
const total = (of) => done.reduce((n, outcome) => n + of(outcome), 0);
/** Tests of all files, with what they failed of. */
const listed = (of) =>
  done.flatMap((outcome) =>
    of(outcome).map(({ title, why }) => `${outcome.file}: ${title}\n${why.replace(/^/gm, '    ')}`),
  );
const failures = listed((o) => o.failed);
const retried = listed((o) => o.retried);
console.log('\nLongest files, on the clock and of processors:');
for (const { file, ...time } of done.sort((a, b) => b.seconds - a.seconds).slice(0, 15))
  console.log(`  ${seconds(time.seconds).padStart(8)} ${seconds(time.processor).padStart(8)}  ${file}`);
console.log(
  `\n${done.length} files in ${seconds((Date.now() - begun) / 1000)}, ${seconds(total((o) => o.processor))} of processors`,
);
console.log(`${total((o) => o.passes)} passing, ${failures.length} failing`);
for (const failure of failures) console.log(`  ${failure}`);
if (retried.length > 0) console.log(`Needed a second try:\n  ${retried.join('\n  ')}`);
if (values.counts !== undefined)
  writeFileSync(
    values.counts,
    JSON.stringify({ passes: total((o) => o.passes), failures: failures.length, failed: failures, retried }),
  );
process.exit(failures.length === 0 ? 0 : 1);
