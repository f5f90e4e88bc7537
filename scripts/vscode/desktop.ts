/**
 * `npm run desktop`: the packaged extension in a desktop VS Code, which is fetched from Microsoft: a run from its spec to a tuned
 * model. For machines with a screen (or `xvfb-run`) and a network; everywhere else VS Code runs in a browser (`npm test`). It
 * needs `@vscode/test-electron`, which asks for a newer node than the rest: `npm install --no-save --ignore-scripts
 * @vscode/test-electron@3.1.0`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { reportFile } from '../../test/e2e/support/report.ts';

/** What is used of `@vscode/test-electron`. */
interface TestElectron {
  downloadAndUnzipVSCode(version: string): Promise<string>;
  resolveCliArgsFromVSCodeExecutablePath(executable: string): string[];
  runTests(options: {
    vscodeExecutablePath: string;
    extensionDevelopmentPath: string;
    extensionTestsPath: string;
    launchArgs: string[];
  }): Promise<number>;
}

const root = join(import.meta.dirname, '../..');
const vsix = join(root, `dist/packages/cola-studio-${process.platform}-${process.arch}.vsix`);
if (!existsSync(vsix)) throw new Error(`There is no ${vsix}: run npm run package.`);

// Named in a variable, for the compiler looks for what is named in an import.
const electron = '@vscode/test-electron';
const { downloadAndUnzipVSCode, resolveCliArgsFromVSCodeExecutablePath, runTests }: TestElectron = await import(
  electron
);

const scratch = mkdtempSync(join(tmpdir(), 'cola-desktop-'));
const at = (name: string) => join(scratch, name);
try {
  for (const name of ['folder', 'stub', 'user', 'extensions']) mkdirSync(at(name));
  const manifest = { name: 'stub', publisher: 'test', version: '1.0.0', engines: { vscode: '*' } };
  writeFileSync(join(at('stub'), 'package.json'), JSON.stringify(manifest));
  const script = at('script.cjs');
  const entry = join(root, 'test/e2e/host/short-run.ts');
  await build({
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['vscode'],
    entryPoints: [entry],
    outfile: script,
  });
  const places = ['--user-data-dir', at('user'), '--extensions-dir', at('extensions')];
  const executable = await downloadAndUnzipVSCode('stable');
  const [program, ...own] = resolveCliArgsFromVSCodeExecutablePath(executable);
  const installed = spawnSync(program, [...own, ...places, '--install-extension', vsix], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (installed.status !== 0) throw new Error(`VS Code did not install ${vsix}.`);
  await runTests({
    vscodeExecutablePath: executable,
    extensionDevelopmentPath: at('stub'),
    extensionTestsPath: script,
    launchArgs: [at('folder'), ...places, '--disable-workspace-trust', '--skip-welcome'],
  });
  console.log(`desktop VS Code: ${readFileSync(join(at('folder'), reportFile), 'utf8')}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
