/** The schema of run specs, asked by path: what a setting means, which keys and values a place takes. */
import { z } from 'zod';
import { taskNames } from '../../data/generators/names.ts';
import { rewardSpec } from '../../rewards/schema.ts';
import { unwrap } from '../../schemas/unwrap.ts';
import { runSpec } from '../../spec/schema.ts';
import { stages } from '../../spec/stages.ts';
import type { Path } from './yaml-place.ts';

/** Data that is a task and not a file. */
const dataKeys: ReadonlySet<string | number> = new Set(['data', 'prompts', 'held_out']);

/** A schema and its options, if it is a union, without what is wrapped around them. */
function options(schema: z.ZodType): z.ZodType[] {
  const inner = unwrap(schema);
  return inner instanceof z.ZodUnion ? (inner.options as readonly z.ZodType[]).flatMap(options) : [inner];
}

/** Every schema a value at the path may have to fit; still wrapped, so that notes and defaults are there. */
export function schemasAt(path: Path): z.ZodType[] {
  let at: z.ZodType[] = [runSpec];
  for (const part of path) {
    at = at.flatMap(options).flatMap((schema) => {
      if (schema instanceof z.ZodObject && typeof part === 'string') {
        const inner = Object.hasOwn(schema.shape, part) ? (schema.shape[part] as z.ZodType) : undefined;
        return inner === undefined ? [] : [inner];
      }
      return schema instanceof z.ZodArray && typeof part === 'number' ? [schema.element as z.ZodType] : [];
    });
  }
  return at;
}

export interface KeyNote {
  readonly name: string;
  readonly schema: z.ZodType;
  readonly required: boolean;
}

/**
 * Keys that a mapping at the path may have.
 *
 * @param siblings keys that it has: of several kinds of mappings only those that have them too are meant
 */
export function keysAt(path: Path, siblings: readonly string[] = []): KeyNote[] {
  const keys = new Map<string, KeyNote>();
  const kinds = schemasAt(path)
    .flatMap(options)
    .filter((schema) => schema instanceof z.ZodObject);
  const usual = path.length === 3 ? usuallyNeeded(path, siblings) : new Set<string>();
  const meant = kinds.filter(({ shape }) => siblings.every((name) => Object.hasOwn(shape, name)));
  for (const schema of meant.length > 0 ? meant : kinds) {
    for (const [name, inner] of Object.entries(schema.shape as Record<string, z.ZodType>)) {
      if (keys.has(name)) continue;
      const required = !inner.safeParse(undefined).success || usual.has(name);
      keys.set(name, { name, schema: inner, required });
    }
  }
  return [...keys.values()];
}

/** Settings of reinforcement that are optional by themselves, and needed where nothing stands in their place. */
function usuallyNeeded([top, , stage]: Path, siblings: readonly string[]): ReadonlySet<string> {
  const usual = top === 'stages' && stage === 'reinforce' && !siblings.includes('environment');
  return new Set(usual ? stages.reinforce.missing?.(stages.reinforce.settings.parse({})).map(({ key }) => key) : []);
}

/** Words that a value at the path may be. */
export function valuesAt(path: Path): string[] {
  const values = schemasAt(path)
    .flatMap(options)
    .flatMap((schema) => {
      if (schema instanceof z.ZodEnum) return schema.options.map(String);
      if (schema instanceof z.ZodLiteral) return [...schema.values].map(String);
      return schema instanceof z.ZodBoolean ? ['true', 'false'] : [];
    });
  const last = path[path.length - 1];
  if (dataKeys.has(last)) values.push(...taskNames);
  if (path.length === 1 && last === 'model') values.push('builtin:nano');
  return [...new Set(values)];
}

/** Whether a value at the path is one of the stages. */
export const isStage = (path: Path) => path.length === 2 && path[0] === 'stages' && typeof path[1] === 'number';

const notesSchema = z.looseObject({
  description: z.string().optional(),
  unit: z.string().optional(),
  paper: z.string().optional(),
});

/** What a value of this schema is, in two or three words. */
export function typeOf(schema: z.ZodType): string {
  // Notes make a copy of a schema, with the same options.
  if (options(schema)[0] === options(rewardSpec)[0]) return 'a reward';
  const names = options(schema).map((option) => {
    if (option instanceof z.ZodEnum) return option.options.map(String).join(' | ');
    if (option instanceof z.ZodLiteral) return [...option.values].map(String).join(' | ');
    if (option instanceof z.ZodNumber) return option.format === 'safeint' ? 'integer' : 'number';
    if (option instanceof z.ZodBoolean) return 'true | false';
    if (option instanceof z.ZodArray) return 'list';
    return option instanceof z.ZodObject ? 'settings' : 'text';
  });
  return [...new Set(names)].join(' | ');
}

/** The default of a setting as it would be written; undefined where there is none. */
export function defaultOf(schema: z.ZodType): string | undefined {
  if (!(schema instanceof z.ZodDefault)) return undefined;
  const { defaultValue } = schema.def;
  return typeof defaultValue === 'string' ? defaultValue : JSON.stringify(defaultValue);
}

/** Meaning, type, unit, default and the paper's value of a setting, as Markdown. */
export function describeSetting(name: string, schema: z.ZodType): string {
  const { description, unit, paper } = notesSchema.safeParse(schema.meta() ?? {}).data ?? {};
  const facts = [
    `Takes: ${typeOf(schema)}${unit === undefined ? '' : `, in ${unit}`}`,
    ...(defaultOf(schema) === undefined ? [] : [`Default: \`${defaultOf(schema)}\``]),
    ...(paper === undefined ? [] : [`Paper: ${paper}`]),
  ];
  return [`**${name}**${description === undefined ? '' : `: ${description}`}`, facts.join('  \n')].join('\n\n');
}
