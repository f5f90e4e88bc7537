// The whole check of a working copy, also of a fresh one: install, build, types and style, tests, and the packaged extension,
// in plain node, its pages in Chromium and all of it in a real VS Code. Usage: npm test [-- [--slow] [--coverage] [--no-editor]
// [--fast] [arguments of mocha]]; --slow tries each thing longer, and with coverage; --no-editor leaves out Chromium and VS Code,
// --fast also WebGPU and the tests that train, and with arguments of mocha only the tests they name run. The last line says how
// much passed and failed.
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findChromium } from './tests/chromium.mjs';
import { rayPython } from './tests/ray.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const slow = process.argv.includes('--slow');
const fast = process.argv.includes('--fast');
// It takes a fifth of the processors.
const coverage = !fast && (slow || process.argv.includes('--coverage'));
const inEditor = !fast && !process.argv.includes('--no-editor');
const own = ['--slow', '--coverage', '--no-editor', '--fast'];
const mochaArguments = process.argv.slice(2).filter((argument) => !own.includes(argument));

/** Folders of tests that train models or start programs, which is what takes the time: `--fast` leaves them out. */
const slowFolders = [
  'check',
  'cli',
  'engine',
  'evaluate',
  'feedback',
  'language',
  'report',
  'safety',
  'search',
  'serve',
  'start',
  'train',
];

/**
 * Files that take long, the longest first: they begin before the others, so that none is left alone at the end. Of those of the editor
 * the ones that use the window of another follow each other, behind them those that leave one which nobody can use again.
 */
const longest = [
  ...['cluster/ray', 'check/check', 'train/run/resume', 'train/run/job', 'train/shapes'],
  ...['train/reinforce/environment-run', 'safety/kills', 'rewards/code', 'cluster/workers', 'safety/limits'],
  ...['train/reinforce/reinforce', 'safety/hostile-models', 'evaluate/search', 'engine/supervisor', 'cluster/stages'],
  ...['cli/ending', 'evaluate/run', 'cli/commands', 'safety/soak', 'cluster/shards', 'train/lora', 'rewards/helper'],
  ...['language/server', 'start/start', 'train/run/frozen', 'reproduce/reproduce'],
]
  .map((name) => `test/${name}.test.ts`)
  .concat(
    [
      ...['one-window', 'stranger', 'run-end', 'tree', 'training', 'kills', 'dashboard', 'reload', 'settings'],
      ...['feedback', 'hostile', 'chat', 'down', 'folders'],
    ].map((name) => `test/e2e/${name}.e2e.ts`),
  )
  .concat(['looks', 'dashboard'].map((name) => `test/webview/${name}.e2e.ts`));

/** Files that measure the memory of their process: others in it would be measured too. */
const alone = ['device/leak', 'safety/fuzz', 'safety/soak'].map((name) => `test/${name}.test.ts`);

/** Files that compute, and have nothing to wait for: they take what the tests in the editor, which often wait, leave of the processors. */
const computing = [
  ...['train/run/resume', 'train/shapes', 'train/reinforce/reinforce', 'reproduce/reproduce', 'evaluate/run'],
  ...['feedback/tuner', 'rewards/maths-pairs'],
].map((name) => `test/${name}.test.ts`);

/** Files that also run on WebGPU: one process for all of them compiles every shader once, which is most of their time in software. */
const onDevices = (file) => /support\/devices\.ts/.test(readFileSync(join(root, file), 'utf8'));

/** Processes that run test files beside each other: one for 3 GB of memory, and no more than asked for. */
const processesUpTo = (count) => Math.max(1, Math.min(count, Math.floor(totalmem() / 3e9), 4));

/** Lines that the whole suite must cover, in percent. */
const coveredLines = 90;

const passed = { count: 0 };
const failures = [];
/** Titles and errors, which are repeated at the end: whoever keeps only the end of a long log sees them too. */
const failedTests = [];
const retriedTests = [];

/**
 * Runs a command with its output shown, or written to a file; true if it ended well.
 *
 * @param output a file that is open
 */
function run(command, args, env = {}, output = 'inherit') {
  const child = spawn(command, args, {
    cwd: root,
    stdio: ['inherit', output, output],
    // npm is a script on Windows, which only a shell can start.
    shell: process.platform === 'win32' && command === 'npm',
    // Under `npm test --silent` an inner npm would keep even its errors to itself.
    env: { ...process.env, npm_config_loglevel: 'error', ...env },
  });
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(`${command}: ${error.message}`);
      resolve(false);
    });
    child.once('exit', (code) => resolve(code === 0));
  });
}

const times = [];

async function phase(name, work) {
  console.log(`\n== ${name}`);
  return timed(name, work);
}

async function timed(name, work) {
  const begun = Date.now();
  const well = await work();
  times.push(`${name} ${((Date.now() - begun) / 1000).toFixed(0)} s`);
  if (!well) failures.push(name);
  return well;
}

/** A phase beside others, whose output goes to a file. @returns what shows that, and says when it has ended whether well */
function phaseBeside(name, file, work) {
  const output = openSync(file, 'w');
  const ended = timed(name, () => work(output)).finally(() => closeSync(output));
  return async () => {
    const well = await ended;
    console.log(`\n== ${name}\n${readFileSync(file, 'utf8')}`);
    return well;
  };
}

function finish() {
  const failed = failures.reduce((n, failure) => n + (typeof failure === 'number' ? failure : 1), 0);
  if (retriedTests.length > 0) console.log(`\nWhat needed a second try:\n${retriedTests.join('\n')}`);
  if (failedTests.length > 0) console.log(`\nWhat failed:\n${failedTests.join('\n')}`);
  console.log(`\nTime: ${times.join(', ')}.`);
  const phases = failures.filter((failure) => typeof failure === 'string');
  if (phases.length > 0) console.log(`\nFailed: ${phases.join(', ')}.`);
  console.log(`${passed.count} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

/** Whether node_modules is there and not older than the lock file. */
function installed() {
  const marker = join(root, 'node_modules/.package-lock.json');
  return existsSync(marker) && statSync(marker).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
}

const driver = '/usr/lib/chromium/vk_swiftshader_icd.json';
const supported = process.platform === 'linux' && process.arch === 'x64';

/** What is missing for the software Vulkan device that WebGPU is tested on. */
function missingForVulkan() {
  const libraries = spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' }).stdout ?? '';
  return [
    ...(existsSync(driver) ? [] : [`${driver} (package chromium-common)`]),
    ...(libraries.includes('libvulkan.so.1') ? [] : ['libvulkan.so.1 (package libvulkan1)']),
  ];
}

/** What is missing for VS Code in a browser. */
const missingForEditor = () => (findChromium() === undefined ? ['Chromium (package chromium-headless-shell)'] : []);

/** What is missing to watch what the programs ask of the system. */
const missingForWatching = () =>
  process.platform !== 'linux' || existsSync('/usr/bin/strace') ? [] : ['/usr/bin/strace (package strace)'];

const missing = () => [...missingForVulkan(), ...missingForEditor(), ...missingForWatching()];
const packages = ['chromium-headless-shell', 'chromium-common', 'libvulkan1', 'strace'];
const byHand = `On Debian, as root: apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')}`;

/** Installs the browser, with it the software device, and what watches the programs, where that can be done. */
async function installPackages() {
  if (!supported || missing().length === 0 || !canInstall()) return;
  console.log(`Installing what is missing: ${missing().join(', ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['-q', 'update'], env);
  await run('apt-get', ['-q', 'install', '-y', '--no-install-recommends', ...packages], env);
}

/** Whether packages can be installed here: root, with Debian's package manager. */
function canInstall() {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get') || !existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync('/etc/os-release', 'utf8'));
}

/** The environment in which WebGPU works without a GPU; empty, with a word about it, where that cannot be had. */
function webgpuEnvironment(runtimeFolder) {
  if (process.env.COLA_TEST_WEBGPU !== undefined) {
    console.log(`COLA_TEST_WEBGPU is ${process.env.COLA_TEST_WEBGPU}: the drivers are left as they are.`);
    return {};
  }
  if (!supported) {
    console.log(`WebGPU is NOT TESTED: there is no known software device on ${process.platform}-${process.arch}.`);
    console.log('On a machine with a GPU, set COLA_TEST_WEBGPU=1 to test on it.');
    return {};
  }
  const lacking = missingForVulkan();
  if (lacking.length > 0) {
    console.log(`WebGPU is NOT TESTED, only the CPU is: missing ${lacking.join(' and ')}.`);
    console.log(byHand);
    return {};
  }
  console.log(`WebGPU is tested on the software device of ${driver}.`);
  return { COLA_TEST_WEBGPU: '1', VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver, XDG_RUNTIME_DIR: runtimeFolder };
}

/**
 * A folder in memory for what tests write, undefined where there is none with room, or where no library may be loaded from it: every
 * checkpoint and every line of a log waits for the disk, and so do the folders that are removed.
 */
function folderInMemory() {
  const place = '/dev/shm';
  if (process.platform !== 'linux' || totalmem() < 16e9 || !existsSync(place)) return undefined;
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  const options = mounts.map((line) => line.split(' ')).findLast(([, at]) => at === place)?.[3] ?? 'noexec';
  const { bavail, bsize } = statfsSync(place);
  if (/\bnoexec\b/.test(options) || bavail * bsize < 8e9) return undefined;
  return mkdtempSync(`${place}/cola-`);
}

const mocha = [
  process.execPath,
  'node_modules/mocha/bin/mocha.js',
  '--exit',
  '--reporter',
  'scripts/tests/reporter.cjs',
];

/** Runs tests with a command, and adds up what it counted into a file. */
async function runCounted([command, ...args], env, countsFile, output = 'inherit') {
  const environment = { ...env, ...(slow ? { COLA_SLOW: '1' } : {}), COLA_TEST_COUNTS: countsFile };
  const well = await run(command, args, environment, output);
  // Without a file the process died before its end.
  if (!existsSync(countsFile)) return false;
  const counts = JSON.parse(readFileSync(countsFile, 'utf8'));
  passed.count += counts.passes;
  if (counts.failures > 0) failures.push(counts.failures);
  failedTests.push(...(counts.failed ?? []));
  retriedTests.push(...(counts.retried ?? []));
  // Nothing failed, and yet it did not end well: coverage, or a hook, or no tests at all.
  return well || counts.failures > 0;
}

/** The command that runs test files beside each other, in so many processes. */
const beside = (counts, processes, files, options = []) => [
  ...[
    process.execPath,
    'scripts/tests/beside.mjs',
    '--counts',
    counts,
    '--processes',
    String(processesUpTo(processes)),
  ],
  ...[...options, ...files],
];

/** Files below a folder whose names end so, the longest first. */
function filesIn(folder, ending) {
  const files = readdirSync(join(root, folder), { recursive: true })
    .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith(ending))
    .sort();
  const place = (file) => (longest.includes(file) ? longest.indexOf(file) : longest.length);
  return files.sort((a, b) => place(a) - place(b));
}

/** The test files that need no editor. */
const testFiles = () =>
  filesIn('test', '.test.ts').filter((path) => !(fast && slowFolders.includes(path.split('/')[1])));

/** Has tests run with the programs that they start, which are made once for all of them. */
async function withPrograms(work) {
  // Not before the packages are installed.
  const { bundlePrograms } = await import('./tests/programs.mjs');
  const folders = [bundlePrograms('programs', coverage)];
  const memory = folderInMemory();
  if (memory !== undefined) folders.push(memory);
  // Not for Ray, whose sockets lie deep below its folder: their paths have about a hundred characters at most.
  const inMemory = memory === undefined ? {} : { TMPDIR: memory, RAY_TMPDIR: process.env.RAY_TMPDIR ?? tmpdir() };
  const env = { COLA_TEST_PROGRAMS: folders[0], ...inMemory };
  try {
    return await work(env);
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

function runTests(scratch, env) {
  const counts = join(scratch, 'counts.json');
  const files = testFiles().filter((file) => !besideEditor.includes(file));
  const tests =
    mochaArguments.length > 0
      ? [...mocha, ...mochaArguments]
      : // One more than there are cores: most tests wait now and then. With two more each took longer, and so did all.
        beside(counts, availableParallelism() + 1, files, [
          ...['--again', '--most', '400'],
          ...alone.flatMap((file) => ['--alone', file]),
          ...files.filter((file) => onDevices(file) && !alone.includes(file)).flatMap((file) => ['--together', file]),
        ]);
  if (fast) return runCounted(tests, env, counts);
  const environment = { ...env, ...webgpuEnvironment(scratch) };
  if (!coverage) return runCounted(tests, environment, counts);
  const c8 = ['node_modules/c8/bin/c8.js', '--all', '--include', 'server/**'];
  const reports = ['--reporter', 'text-summary', '--reporter', 'lcov', '--reports-dir', 'coverage'];
  const demands = whole && coveredLines > 0 ? ['--check-coverage', '--lines', String(coveredLines)] : [];
  return runCounted([process.execPath, ...c8, ...reports, ...demands, ...tests], environment, counts);
}

/** Runs the rest of them in one process, which gives way to all others. */
function runComputing(scratch, env, output) {
  const counts = join(scratch, 'computing-counts.json');
  return runCounted(beside(counts, 1, besideEditor, ['--again', '--nice', '10']), env, counts, output);
}

/** Why the extension is not tested in VS Code, undefined if it is. */
function editorObstacle() {
  if (!inEditor) return '`npm test` without --no-editor does that too.';
  if (!supported) return 'that needs a VS Code from npm, which exists for linux-x64 only so far.';
  const lacking = missingForEditor();
  return lacking.length === 0 ? undefined : `missing ${lacking.join(' and ')}. ${byHand}`;
}

/** The extension as it is installed: in plain node, and in VS Code where that can be. */
function runPackageTests(scratch, editor) {
  const counts = join(scratch, 'package-counts.json');
  const files = editor ? filesIn('test', '.e2e.ts') : ['test/e2e/package.e2e.ts'];
  // An editor that is driven from outside may be late for reasons of its own: a second try of its file, which is told of.
  // A process has one editor, in which each file has windows of its own, so that none finds what another has left open.
  const options = ['--config', 'test/e2e/.mocharc.cjs', '--most', '64', ...(editor ? ['--again'] : [])];
  // Where it is late for what runs beside it, one waits longer; what comes in time costs no more.
  // No more than cores: an editor that shares one comes late.
  return runCounted(
    beside(counts, availableParallelism(), files, options),
    { COLA_PATIENCE: process.env.COLA_PATIENCE ?? '3' },
    counts,
  );
}

const whole = mochaArguments.length === 0 && !fast;
// Beside all that comes before the tests: most of the time it waits for a network.
const ray = whole ? rayPython() : undefined;
// Both wait for a network.
const bringingPackages = fast ? undefined : installPackages();
if (!installed() && !(await phase('install', () => run('npm', ['ci', '--no-audit', '--no-fund'])))) finish();
await bringingPackages;
const scratch = mkdtempSync(join(tmpdir(), 'cola-test-'));
const packaged = whole && supported;
// VS Code comes while other things are done.
const editorLog = openSync(join(scratch, 'editor.log'), 'w');
const bringing = packaged && run(process.execPath, ['--import', 'tsx', 'scripts/vscode/bring.ts'], {}, editorLog);
await phase('build', () => run('npm', ['run', '--silent', 'build']));
/** A script of npm beside what comes next. */
const scriptBeside = (name) =>
  phaseBeside(name, join(scratch, `${name}.log`), (output) => run('npm', ['run', '--silent', name], {}, output));
const packaging = packaged && scriptBeside('package');
const checking = scriptBeside('check');
const python = await ray;
if (python !== undefined) process.env.COLA_RAY_PYTHON = python;

const obstacle = editorObstacle();
// Where all tests are counted together, or no editor leaves them anything, they are as the others.
const besideEditor = packaged && !coverage && obstacle === undefined ? computing : [];
/** The package as it is installed, if it could be made and VS Code be brought. */
async function testPackage() {
  if (await bringing) return runPackageTests(scratch, obstacle === undefined);
  failures.push('bringing VS Code');
  return true;
}
await withPrograms(async (env) => {
  await phase('tests', () => runTests(scratch, env));
  await checking();
  const others = 'tests that compute';
  // Behind the others: an editor that is driven from outside would be late for what computes beside it.
  if (packaged && (await packaging())) {
    const log = join(scratch, 'computing.log');
    const computed =
      besideEditor.length > 0 && phaseBeside(others, log, (output) => runComputing(scratch, env, output));
    await phase('editor', testPackage);
    if (computed) await computed();
  } else if (besideEditor.length > 0) await phase(others, () => runComputing(scratch, env));
});
for (const tool of missingForWatching())
  console.log(`\nWhat the programs ask of the system is NOT TESTED: missing ${tool}. ${byHand}`);
if (whole) {
  if (!packaged) console.log("\nThe package is NOT TESTED as it is installed: that needs VS Code's own command.");
  else if (!(await bringing)) console.log(readFileSync(join(scratch, 'editor.log'), 'utf8'));
  if (obstacle !== undefined) console.log(`\nThe extension is NOT TESTED in VS Code: ${obstacle}`);
}
rmSync(scratch, { recursive: true, force: true });
finish();
