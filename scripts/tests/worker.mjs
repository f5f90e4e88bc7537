// Runs the test files that its parent names, one after the other. What each says goes to the standard output, and behind it a line that
// begins with `endOfFile` and says how it ended.
// Usage: worker.mjs CONFIG, with a configuration of mocha, of which it knows `timeout`, `slow` and `require`.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import Mocha from 'mocha';
import { endOfFile } from './end-of-file.mjs';

const [config] = process.argv.slice(2);
const { timeout, slow, require: required = [] } = createRequire(import.meta.url)(resolve(config));
const globals = await Promise.all(required.map((path) => import(pathToFileURL(resolve(path)).href)));

/** Says in full what failed, and leaves the totals, which are those of all files, to the parent. */
class FileReporter extends Mocha.reporters.Spec {
  epilogue() {
    if (this.failures.length > 0) Mocha.reporters.Base.list(this.failures);
  }
}

/** Seconds of processors so far: of this process, and where the system says it of the programs that tests started, ended or not. */
const processor = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6 + ofPrograms();
};

/** Seconds of processors of programs that tests started, by their id and start, as they were last seen: some end with nobody to wait for them. */
const programs = new Map();

/** Fields of proc(5) that lie behind the name, which may hold spaces, but ends with the last bracket; undefined of one that has ended. */
function statOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** In seconds: times are in hundredths of them. */
const sum = (times) => times.reduce((n, time) => n + Number(time), 0) / 100;

/** Ids of what a process has started, and of what that has: each of its threads knows its own, and to read all processes takes longer. */
function* descendantsOf(pid) {
  for (const thread of entriesOf(`/proc/${pid}/task`))
    for (const child of childrenOf(pid, thread)) {
      yield child;
      yield* descendantsOf(child);
    }
}

function entriesOf(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function childrenOf(pid, thread) {
  try {
    return readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean);
  } catch {
    return [];
  }
}

/** What was seen of all of them, or what those took that this process has waited for, whichever is more: some are too short to be seen. */
function ofPrograms() {
  if (process.platform !== 'linux') return 0;
  for (const pid of descendantsOf(process.pid)) {
    const fields = statOf(pid);
    if (fields !== undefined) programs.set(`${pid} ${fields[19]}`, sum(fields.slice(11, 13)));
  }
  const seen = [...programs.values()].reduce((n, time) => n + time, 0);
  return Math.max(seen, sum(statOf(process.pid).slice(13, 15)));
}

setInterval(ofPrograms, 1000).unref();

const wordsOf = (error) => String(error?.stack ?? error).slice(0, 2000);

async function run(file) {
  // Without `it.only`, which would leave out others unseen.
  const mocha = new Mocha({ timeout, slow, forbidOnly: true });
  mocha.reporter(FileReporter);
  mocha.addFile(file);
  const failed = [];
  await mocha.loadFilesAsync();
  const { passes, pending } = await new Promise((resolve) => {
    const runner = mocha.run(() => resolve(runner.stats));
    runner.on('fail', (test, error) => failed.push({ title: test.fullTitle(), why: wordsOf(error) }));
  });
  // Its listeners would stay, and each of several hands on a rejection that nobody handles to all others: twice as often with each.
  mocha.dispose();
  if (passes + pending + failed.length === 0) throw new Error('there are no tests in it');
  return { passes, failed };
}

// As mocha's own command does it: the test that is running fails.
process.on('unhandledRejection', (reason) => {
  throw reason;
});
process.on('message', async (file) => {
  const before = { seconds: process.uptime(), processor: processor() };
  const { passes, failed } = await run(file).catch((error) => {
    console.log(error);
    return { passes: 0, failed: [{ title: String(error).split('\n')[0], why: wordsOf(error) }] };
  });
  const seconds = process.uptime() - before.seconds;
  const spent = processor() - before.processor;
  // What is garbage by now is no reason for another process.
  globalThis.gc?.();
  const outcome = { passes, failed, seconds, processor: spent, bytes: process.memoryUsage().rss };
  process.stdout.write(`${endOfFile}${JSON.stringify(outcome)}\n`);
});
process.on('disconnect', async () => {
  for (const { mochaGlobalTeardown } of globals) await mochaGlobalTeardown?.();
  // Tests may leave behind what would keep the process alive.
  process.exit(0);
});
