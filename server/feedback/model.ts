/** Which model feedback belongs to. */
import { createHash } from 'node:crypto';
import type { ColaModel } from '../cola/model.ts';

/** The version of a model's own policy, before anything was learned from feedback. */
export const original = 'original';

/** Numbers of each tensor that go into the fingerprint. */
const sampled = 64;

/**
 * Tells base, world model and tokenizer from those of other models: token ids and actions mean the same wherever it is equal. The
 * policy does not count, for it is what is tuned.
 */
export function fingerprintOf(cola: ColaModel): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([cola.base.config, { ...cola.config, base: '' }, cola.base.tokenizer?.fingerprint]));
  const { base } = cola;
  const names = base.tensors.map(({ name }) => name);
  for (const [name, values] of base.sample(names, sampled)) hash.update(name).update(values);
  for (const { name } of cola.tensorsOf('world')) {
    const values = cola.weight(name);
    const step = Math.max(1, Math.floor(values.length / sampled));
    hash
      .update(name)
      .update(Float32Array.from({ length: Math.min(sampled, values.length) }, (_, i) => values[i * step]));
  }
  return hash.digest('hex').slice(0, 16);
}
