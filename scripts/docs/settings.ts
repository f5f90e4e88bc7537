/** All settings as one page of Markdown: those of the editor, and those of a run spec. */
import { specMarkdown } from '../../server/language/spec/docs.ts';
import { parts } from '../../src/contributions/index.ts';

function editorSettings(): string {
  const settings = parts.flatMap((part) => Object.entries(part.settings ?? {}));
  const rows = settings.map(([name, { markdownDescription, default: value, scope = 'window' }]) => {
    const said = markdownDescription.replaceAll('|', '\\|').replaceAll('\n', ' ');
    return `| \`${name}\` | \`${JSON.stringify(value)}\` | ${scope} | ${said} |`;
  });
  return ['| setting | default | scope | meaning |', '|---|---|---|---|', ...rows].join('\n');
}

export function settingsPage(): string {
  return `# Settings\n\nWritten by \`npm run docs\` from the schemas that the editor and the engine read.\n\n## In the editor\n\n${editorSettings()}\n\n${deeper(specMarkdown())}`;
}

/** Headings one level deeper. */
const deeper = (markdown: string) => markdown.replaceAll(/^#/gm, '##');
