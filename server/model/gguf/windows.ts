/** Layers that see a window, in a GGUF file and in config.json. */
import type { SlidingLayers } from '../config/config.ts';
import { ggufErrors as errors } from './errors.ts';
import type { Metadata } from './metadata.ts';
import type { Written } from './writer.ts';

const WINDOW = 'attention.sliding_window';
const PATTERN = 'attention.sliding_window_pattern';

/** What llama.cpp takes where a file is silent: of so many layers the last sees all, and a window. */
const gemma: Readonly<Record<string, { readonly period: number; readonly window: number }>> = {
  gemma2: { period: 2, window: 4096 },
  gemma3: { period: 6, window: 0 },
};

/** Kinds whose windows llama.cpp computes; in the others every layer sees all there. */
export const computesWindows = (architecture: string): boolean => Object.hasOwn(gemma, architecture);

/** The last of each period sees all; all slide, where it is 0. */
const slides = (layer: number, period: number) => period === 0 || (layer + 1) % period !== 0;

/** The keys of config.json; none where all layers see all. @throws gguf.feature, gguf.value */
export function windowKeys(
  metadata: Metadata,
  architecture: string,
  layers: number,
): { readonly sliding_window?: number | null; readonly [key: string]: unknown } {
  const usual = gemma[architecture];
  const window = metadata.number(`${architecture}.${WINDOW}`) ?? usual?.window ?? 0;
  const none = architecture === 'llama' ? {} : { sliding_window: null };
  if (window <= 0) return none;
  const sliding = slidingOf(metadata, `${architecture}.${PATTERN}`, layers, usual?.period ?? 0);
  if (!sliding.includes(true)) return none;
  if (architecture !== 'llama' && architecture !== 'phi3')
    return {
      sliding_window: window,
      use_sliding_window: true,
      layer_types: sliding.map((each) => (each ? 'sliding_attention' : 'full_attention')),
    };
  if (sliding.includes(false)) throw errors.feature(metadata.file, `a window in some layers ("${architecture}")`);
  return { sliding_window: window };
}

/** Of each layer, whether it sees a window. */
function slidingOf(metadata: Metadata, key: string, layers: number, otherwise: number): boolean[] {
  // What a damaged file says of its layers is checked with the rest of the configuration.
  const all = Array.from({ length: Math.min(1024, Math.max(0, Math.floor(layers))) }, (_, layer) => layer);
  const pattern = metadata.numberOrFlags(key) ?? otherwise;
  if (typeof pattern === 'number') return all.map((layer) => slides(layer, pattern));
  if (pattern.length !== layers)
    throw errors.value(metadata.file, key, `it has ${pattern.length} entries for ${layers} layers`);
  return [...pattern];
}

/** What a file says of windows. @returns undefined where Gemma has them in layers that llama.cpp has no word for */
export function windowMetadata(
  sliding: SlidingLayers | null,
  architecture: string,
  { layers, positions }: { readonly layers: number; readonly positions: number },
): [string, Written][] | undefined {
  const usual = gemma[architecture];
  if (sliding === null)
    // A window as long as any text is none, and llama.cpp has one for Gemma 2 where it is told none.
    return architecture === 'gemma2' ? [[WINDOW, { u32: positions }]] : [];
  const written: [string, Written][] = [[WINDOW, { u32: sliding.window }]];
  const flags = Array.from({ length: layers }, (_, layer) => sliding.layers.includes(layer));
  if (usual === undefined) return flags.includes(false) ? [...written, [PATTERN, { flags }]] : written;
  const periods = [usual.period, ...flags.map((_, layer) => layer + 2)];
  const period = periods.find((each) => flags.every((flag, layer) => slides(layer, each) === flag));
  if (period === undefined) return undefined;
  return period === usual.period ? written : [...written, [PATTERN, { u32: period }]];
}
