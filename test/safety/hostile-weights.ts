/** Weights that lie about themselves. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  config,
  endless,
  first,
  type Header,
  type HostileFolder,
  headerOf,
  instead,
  nested,
  safetensors,
  weights,
} from './spoil.ts';

export const weightCases: readonly HostileFolder[] = [
  {
    name: 'a shape with more rows than there are bytes',
    ends: /^safetensors\.size$/,
    spoil: weights((h) => void first(h).shape.unshift(2)),
  },
  {
    name: 'a shape whose product is no number',
    ends: /^safetensors\.size$/,
    spoil: weights((h) => void Object.assign(first(h), { shape: [2 ** 40, 2 ** 40] })),
  },
  {
    name: 'a shape of nothing',
    ends: /^safetensors\.(size|layout)$/,
    spoil: weights((h) => void Object.assign(first(h), { shape: [0] })),
  },
  {
    name: 'sixty-five dimensions',
    ends: /^safetensors\.header$/,
    spoil: weights((h) => void Object.assign(first(h), { shape: Array(65).fill(1) })),
  },
  {
    name: 'negative offsets',
    ends: /^safetensors\.header$/,
    spoil: weights((h) => void Object.assign(first(h), { data_offsets: [-64, 0] })),
  },
  {
    name: 'offsets between bytes',
    ends: /^safetensors\.header$/,
    spoil: weights((h) => void first(h).data_offsets.fill(0.5, 0, 1)),
  },
  {
    name: 'offsets that end before they begin',
    ends: /^safetensors\.size$/,
    spoil: weights((h) => void first(h).data_offsets.reverse()),
  },
  {
    name: 'offsets beyond the end',
    ends: /^safetensors\.(layout|truncated)$/,
    spoil: weights((h) => {
      for (const e of Object.values(h))
        if (e.data_offsets) e.data_offsets = e.data_offsets.map((at) => at + 1e12) as [number, number];
    }),
  },
  {
    name: 'tensors that overlap',
    ends: /^safetensors\.(layout|header)$/,
    spoil: weights((h) => {
      const e = Object.values(h).filter((x) => x.data_offsets);
      const size = e[1].data_offsets[1] - e[1].data_offsets[0];
      e[1].data_offsets = [0, size];
    }),
  },
  {
    name: 'one name twice',
    ends: /^safetensors\.header$/,
    spoil: weights((h) =>
      `{"a":${JSON.stringify(first(h))},${JSON.stringify(h).slice(1)}`.replace(
        '"a":',
        `${JSON.stringify(Object.keys(h).find((k) => k !== '__metadata__'))}:`,
      ),
    ),
  },
  {
    name: 'names of prototypes',
    ends: /^safetensors\.layout$/,
    spoil: weights((h) => `{"__proto__":${JSON.stringify(first(h))},${JSON.stringify(h).slice(1)}`),
  },
  {
    name: 'a header of 2^63 bytes',
    ends: /^safetensors\.headerLength$/,
    spoil: instead('model.safetensors', () => safetensors('{}', new Uint8Array(8), 2n ** 63n)),
  },
  {
    name: 'a header of 100 MB of blanks',
    ends: /^(safetensors|weights)\./,
    spoil: instead('model.safetensors', () => safetensors(`{${' '.repeat(99_999_990)}}`, new Uint8Array(0))),
  },
  {
    name: 'a header that is deeply nested',
    ends: /^safetensors\.header$/,
    spoil: instead('model.safetensors', () => safetensors(`{"a":${nested(20_000_000)}}`, new Uint8Array(0))),
  },
  {
    name: 'a million tensors',
    ends: /^(safetensors|weights)\./,
    spoil: instead('model.safetensors', () =>
      safetensors(
        JSON.stringify(
          Object.fromEntries(
            Array.from({ length: 1_000_000 }, (_, i) => [
              `t${i}`,
              { dtype: 'U8', shape: [1], data_offsets: [i, i + 1] },
            ]),
          ),
        ),
        new Uint8Array(1_000_000),
      ),
    ),
  },
  {
    name: 'whole numbers in the place of weights',
    ends: /^weights\.dtype$/,
    spoil: weights((h) => void Object.assign(first(h), { dtype: 'I32' })),
  },
  {
    name: 'a format that nobody knows',
    ends: /^safetensors\.dtype$/,
    spoil: weights((h) => void Object.assign(first(h), { dtype: '__proto__' })),
  },
  {
    name: 'halves in the place of floats',
    ends: /^safetensors\.size$/,
    spoil: weights((h) => void Object.assign(first(h), { dtype: 'F16' })),
  },
  {
    name: 'no number among the weights',
    ends: /^weights\./,
    spoil: weights((_, data) => void data.writeFloatLE(Number.NaN, 64)),
  },
  {
    name: 'infinity among the weights',
    ends: /^weights\./,
    spoil: weights((_, data) => void data.writeFloatLE(Number.NEGATIVE_INFINITY, 64)),
  },
  {
    name: 'weights of absurd magnitude',
    ends: /^weights\.tooLarge$/,
    spoil: weights((_, data) => void data.writeFloatLE(1e30, 64)),
  },
  {
    name: 'weights of a module of absurd magnitude',
    ends: /^weights\.tooLarge$/,
    spoil: weights((_, data) => void data.writeFloatLE(-1e30, 64), 'cola.safetensors'),
  },
  {
    name: 'no number in a module',
    ends: /^cola\.notFinite$/,
    spoil: weights((_, data) => void data.writeFloatLE(Number.NaN, 64), 'cola.safetensors'),
  },
  {
    name: 'modules that are not of this model',
    ends: /^cola\./,
    spoil: weights((h) => {
      h.strange = { dtype: 'F32', shape: [0], data_offsets: [0, 0] };
    }, 'cola.safetensors'),
  },
  { name: 'an empty file', ends: /^safetensors\.truncated$/, spoil: instead('model.safetensors', '') },
  {
    name: 'a text',
    ends: /^(safetensors|folder)\./,
    spoil: instead('model.safetensors', '<html>Sign in</html>'.repeat(100)),
  },
  {
    name: 'weights of 200 GB of holes',
    ends: /^(weights|safetensors|model)\./,
    spoil: (folder) => {
      const size = 2 ** 24;
      config((json) =>
        Object.assign(json, {
          vocab_size: size,
          hidden_size: 3072,
          intermediate_size: 24,
          num_attention_heads: 2,
          head_dim: 8,
          num_hidden_layers: 1,
        }),
      )(folder);
      const entries: Header = {};
      let at = 0;
      for (const [name, shape] of Object.entries(shapesOf(folder, 3072, size))) {
        const bytes = 4 * shape.reduce((a, b) => a * b, 1);
        entries[name] = { dtype: 'F32', shape, data_offsets: [at, at + bytes] };
        at += bytes;
      }
      const text = JSON.stringify(entries);
      endless('model.safetensors', 8 + text.length + at, () => text)(folder);
    },
  },
];

/** Shapes as the weights of the good model have them, with another width and number of tokens. */
function shapesOf(folder: string, width: number, tokens: number): Record<string, number[]> {
  const shapes: Record<string, number[]> = {};
  for (const [name, entry] of Object.entries(headerOf(readFileSync(join(folder, 'model.safetensors'))))) {
    if (entry.shape === undefined) continue;
    const old = /embed_tokens|lm_head/.test(name) ? entry.shape[0] : -1;
    shapes[name] = entry.shape.map((extent) =>
      extent === old ? tokens : extent === 16 && !/[qkv]_proj.*|o_proj/.test(name) ? width : extent,
    );
    if (/[qkv]_proj\.weight$/.test(name)) shapes[name] = [entry.shape[0], width];
    if (/o_proj\.weight$/.test(name)) shapes[name] = [width, entry.shape[1]];
  }
  return shapes;
}
