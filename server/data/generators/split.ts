/** Which problems are kept for testing: decided by the problem alone, so that no seed can put one on both sides. */
export type Split = 'train' | 'test';

/**
 * @param key the problem in one fixed spelling
 * @param share fraction of all problems that are for testing
 */
export function splitOf(key: string, share: number): Split {
  // FNV-1a, with a final mix so that similar keys do not fall on the same side.
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return ((h ^ (h >>> 15)) >>> 0) / 2 ** 32 < share ? 'test' : 'train';
}
