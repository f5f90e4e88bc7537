/** What helps whoever looks into a problem: versions, settings, status and the log. Nothing of the person's files. */
import { arch, cpus, freemem, homedir, platform, release, totalmem } from 'node:os';
import { env, extensions, version, workspace } from 'vscode';
import { getStatus, listRuns } from '../server/protocol/index.ts';
import { parts } from './contributions/index.ts';
import { diskFolders, rootsOfWorkspace } from './runs/runs.ts';
import { gigabytes } from './status-text.ts';
import type { Studio } from './studio.ts';

/** A Markdown text. Paths of the person's home and folders are shortened. */
export async function diagnosticsText(studio: Studio): Promise<string> {
  const { extension } = studio.context;
  const names = parts.flatMap(({ settings }) => Object.keys(settings ?? {}));
  const configuration = workspace.getConfiguration();
  const settings = Object.fromEntries(names.map((name) => [name, configuration.get(name)]));
  const changed = names.filter((name) => {
    const { globalValue, workspaceValue } = configuration.inspect(name) ?? {};
    return globalValue !== undefined || workspaceValue !== undefined;
  });
  const [cpu] = cpus();
  const sections: [string, string][] = [
    [
      'Versions',
      json({
        'CoLA Studio': extension.packageJSON.version,
        editor: `${env.appName} ${version}`,
        remote: env.remoteName ?? 'no',
        node: process.versions.node,
        system: `${platform()} ${release()} ${arch()}`,
        processor: `${cpus().length} x ${cpu?.model ?? 'unknown'}`,
        memory: `${gigabytes(freemem())} of ${gigabytes(totalmem())} free`,
      }),
    ],
    ['Settings', json({ ...settings, 'changed by you': changed })],
    [
      'Workspace',
      json({ folders: diskFolders().length, trusted: workspace.isTrusted, extensions: extensions.all.length }),
    ],
    ['Status', json({ connection: studio.connection, why: studio.why, ...(await serverSide(studio)) })],
    ['Log', studio.log.recent().join('\n')],
  ];
  const text = sections.map(([title, body]) => `## ${title}\n\n\`\`\`\n${body}\n\`\`\`\n`).join('\n');
  return `# Diagnostics of CoLA Studio\n\nRead it before you pass it on: the log may hold names of files.\n\n${shortened(text)}`;
}

async function serverSide(studio: Studio): Promise<object> {
  try {
    const status = await studio.request(getStatus, {});
    const { runs } = await studio.request(listRuns, { roots: rootsOfWorkspace() });
    return { status, runs: runs.map(({ run, state, checkpoint }) => ({ run, state, checkpoint })) };
  } catch (error) {
    return { error: String(error) };
  }
}

const json = (value: unknown) => JSON.stringify(value, null, 2);

function shortened(text: string): string {
  const folders = diskFolders().map(({ uri }, i) => [uri.fsPath, `<folder ${i + 1}>`] as const);
  const places = [...folders, [homedir(), '~'] as const].filter(([path]) => path.length > 1);
  return places.reduce((all, [path, name]) => all.replaceAll(path, name), text);
}
