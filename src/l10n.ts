/**
 * What a person reads, in the language of the editor. A text is its own name: where the editor has no translation it is shown as it
 * stands in the code. Knows nothing of the editor, so that words can be tested without one.
 */
import { z } from 'zod';

type Values = readonly (string | number)[] | readonly [Readonly<Record<string, string | number>>];

const translations = z.record(z.string(), z.string());
let bundle: z.infer<typeof translations> = {};

/**
 * Takes the texts of the editor's language, by their English; before any other module of the extension is loaded, as some of them
 * are kept there.
 */
export function speak(texts: unknown): void {
  bundle = translations.catch({}).parse(texts);
}

/**
 * A text with its values: `t('{0} of {1}', 3, 8)` or `t('{run} has ended', { run })`, as the editor's own `l10n.t` has it. The first
 * argument is always written out, as the texts to translate are collected from there.
 */
export function t(message: string, ...values: Values): string {
  const [first] = values;
  const named = typeof first === 'object' ? first : Object.fromEntries(values.map((value, i) => [String(i), value]));
  const text = Object.hasOwn(bundle, message) ? bundle[message] : message;
  return text.replaceAll(/\{(\w+)\}/g, (all, name: string) => (Object.hasOwn(named, name) ? String(named[name]) : all));
}
