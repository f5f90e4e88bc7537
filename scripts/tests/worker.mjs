// Runs the test files that its parent names, one after the other. What each says goes to the standard output, and behind it a line that
// begins with `endOfFile` and says how it ended.
// Usage: worker.mjs CONFIG [RETRIES], with a configuration of mocha, of which it knows `timeout`, `slow` and `require`.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import Mocha from 'mocha';
import { endOfFile } from './end-of-file.mjs';

const [config, retries = '0'] = process.argv.slice(2);
const { timeout, slow, require: required = [] } = createRequire(import.meta.url)(resolve(config));
const globals = await Promise.all(required.map((path) => import(pathToFileURL(resolve(path)).href)));

/** Says in full what failed, and leaves the totals, which are those of all files, to the parent. */
class FileReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.on(Mocha.Runner.constants.EVENT_TEST_RETRY, (test, error) => {
      console.log(`    ! ${test.title}: tried again after ${error.message}`);
    });
  }

  epilogue() {
    if (this.failures.length > 0) Mocha.reporters.Base.list(this.failures);
  }
}

/** Seconds of processors so far: of this process, and where the system says it of the programs that tests started and that have ended. */
const processor = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6 + ofChildren();
};

/** `cutime` and `cstime` of proc(5), in hundredths of a second: the name before them may hold spaces, but ends with the last bracket. */
function ofChildren() {
  if (process.platform !== 'linux') return 0;
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

const wordsOf = (error) => String(error?.stack ?? error).slice(0, 2000);

async function run(file) {
  // Without `it.only`, which would leave out others unseen.
  const mocha = new Mocha({ timeout, slow, retries: Number(retries), forbidOnly: true });
  mocha.reporter(FileReporter);
  mocha.addFile(file);
  const failed = [];
  const retried = [];
  await mocha.loadFilesAsync();
  const { passes, pending } = await new Promise((resolve) => {
    const runner = mocha.run(() => resolve(runner.stats));
    runner.on('fail', (test, error) => failed.push({ title: test.fullTitle(), why: wordsOf(error) }));
    runner.on(Mocha.Runner.constants.EVENT_TEST_RETRY, (test, error) =>
      retried.push({ title: test.fullTitle(), why: wordsOf(error) }),
    );
  });
  // Its listeners would stay, and each of several hands on a rejection that nobody handles to all others: twice as often with each.
  mocha.dispose();
  if (passes + pending + failed.length === 0) throw new Error('there are no tests in it');
  return { passes, failed, retried };
}

// As mocha's own command does it: the test that is running fails.
process.on('unhandledRejection', (reason) => {
  throw reason;
});
process.on('message', async (file) => {
  const before = { seconds: process.uptime(), processor: processor() };
  const { passes, failed, retried } = await run(file).catch((error) => {
    console.log(error);
    return { passes: 0, retried: [], failed: [{ title: String(error).split('\n')[0], why: wordsOf(error) }] };
  });
  // What its tests have shared is not there for those of the next file.
  for (const { mochaGlobalTeardown } of globals) await mochaGlobalTeardown?.();
  const seconds = process.uptime() - before.seconds;
  const spent = processor() - before.processor;
  // What is garbage by now is no reason for another process.
  globalThis.gc?.();
  const outcome = { passes, failed, retried, seconds, processor: spent, bytes: process.memoryUsage().rss };
  process.stdout.write(`${endOfFile}${JSON.stringify(outcome)}\n`);
});
process.on('disconnect', () => {
  // Tests may leave behind what would keep the process alive.
  process.exit(0);
});
