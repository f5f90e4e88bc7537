/** Text that is no Markdown, where Markdown is expected. */

/** The text as it is. `MarkdownString.appendText` would bind all its words together, and lines would break inside of them. */
export const escaped = (text: string): string =>
  text.replaceAll(/[\\`*_{}[\]()#+\-.!|<>&~$]/g, (character) => `&#${character.charCodeAt(0)};`);
