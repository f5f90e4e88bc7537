/** An environment by what a person types: the name of one that is built in, the path of a module, or an address. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { environmentErrors } from './errors.ts';
import { builtIn, type EnvironmentSpec, environmentSpec } from './spec.ts';

/**
 * @param folder that a path is relative to
 * @throws environment.unknown, environment.moduleMissing
 */
export function environmentNamed(name: string, folder: string): EnvironmentSpec {
  const known = environmentSpec.safeParse(name);
  if (known.success) return known.data;
  if (/^(?:ws|http)s?:\/\//.test(name)) return environmentSpec.parse({ openenv: name });
  if (!/\.[cm]?js$/.test(name)) throw environmentErrors.unknown(name, builtIn);
  const path = resolve(folder, name);
  if (!existsSync(path)) throw environmentErrors.moduleMissing(path);
  return environmentSpec.parse({ module: { path } });
}
