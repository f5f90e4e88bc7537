/** Text that is no Markdown, where Markdown is expected, and links to commands and tables. */
import type { CommandName } from './contributions/index.ts';

/** The text as it is. `MarkdownString.appendText` would bind all its words together, and lines would break inside of them. */
export const escaped = (text: string): string =>
  text.replaceAll(/[\\`*_{}[\]()#+\-.:@!|<>&~$\r\n]/g, (character) => `&#${character.charCodeAt(0)};`);

/** A link to a command. @param label Markdown. @param args of the command; nothing in them can end the link */
export function commandLink(label: string, command: CommandName, ...args: unknown[]): string {
  const coded = encodeURIComponent(JSON.stringify(args)).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16)}`,
  );
  return `[${label}](command:${command}${args.length === 0 ? '' : `?${coded}`})`;
}

/** Cells as a table of Markdown, the first row its heading; what is in them is text. */
export function markdownTable([heading = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`;
  const rule = heading.map((_, i) => (i === 0 ? ':--' : '--:'));
  return [line(heading), line(rule), ...rows.map(line)].join('\n');
}
