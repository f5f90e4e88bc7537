/**
 * Lines and files by folder at two commits, as the table in docs/decisions/the-house.md has them.
 * Usage: npx tsx scripts/docs/lines.ts BEFORE NOW
 */
import { execFileSync } from 'node:child_process';

interface Count {
  lines: number;
  files: number;
}

const git = (...args: string[]) => execFileSync('git', args, { maxBuffer: 1 << 28, encoding: 'utf8' });

/** A folder of the server each, and one for everything else at the top. */
function folderOf(path: string): string | undefined {
  const [top, second, ...deeper] = path.split('/');
  if (top === 'server') return deeper.length === 0 ? 'server (files)' : `server/${second}`;
  return ['bench', 'scripts', 'src', 'test', 'webview'].includes(top) ? top : undefined;
}

function countsAt(commit: string): Map<string, Count> {
  const counts = new Map<string, Count>();
  // Against the empty tree every line of a commit is an added one.
  const emptyTree = git('hash-object', '-t', 'tree', '/dev/null').trim();
  for (const line of git('diff', '--numstat', '--no-renames', emptyTree, commit).trim().split('\n')) {
    const [added, , path] = line.split('\t');
    const folder = /\.[cm]?[jt]s$/.test(path) ? folderOf(path) : undefined;
    if (folder === undefined) continue;
    const count = counts.get(folder) ?? { lines: 0, files: 0 };
    count.lines += Number(added);
    count.files++;
    counts.set(folder, count);
  }
  return counts;
}

const [before, now] = process.argv.slice(2).map(countsAt);
if (before === undefined || now === undefined) throw new Error('name two commits');
const order = ['server', 'bench', 'scripts', 'src', 'test', 'webview'];
const rank = (folder: string) =>
  order.findIndex((top) => folder === top || folder.startsWith(`${top}/`) || folder.startsWith(`${top} `));
const folders = [...new Set([...before.keys(), ...now.keys()])].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
const sum = (counts: Map<string, Count>): Count =>
  [...counts.values()].reduce((all, one) => ({ lines: all.lines + one.lines, files: all.files + one.files }), {
    lines: 0,
    files: 0,
  });
const cells = (count: Count | undefined) => (count === undefined ? '- | -' : `${count.lines} | ${count.files}`);

console.log('| folder | lines before | files | lines now | files |\n|---|---:|---:|---:|---:|');
for (const folder of folders)
  console.log(`| \`${folder}\` | ${cells(before.get(folder))} | ${cells(now.get(folder))} |`);
console.log(`| all | ${cells(sum(before))} | ${cells(sum(now))} |`);
