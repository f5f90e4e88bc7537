/** Names of searches: a name of a file, and what a person reads of it. */

const two = (value: number) => String(value).padStart(2, '0');

/** When it was begun, and the end of what it begins from. */
export function searchName(prompt: string, now = new Date()): string {
  const day = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  const time = `${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
  const words = prompt.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return [day, time, ...words.slice(-3)].join('-').slice(0, 60);
}

/** Without the time, which stands beside it in lists; all of it where there is nothing else. */
export function searchTitle(name: string): string {
  const words = name.replace(/^\d{4}-\d{2}-\d{2}-\d{6}-/, '');
  return words === name ? name : words.replaceAll('-', ' ');
}

/** When a search was last written, short enough to stand beside its name. */
export function searchTime(updated: number): string {
  return new Date(updated).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'short' });
}
