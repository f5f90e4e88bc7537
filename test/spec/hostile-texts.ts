/** Texts that a parser of YAML takes long over, or falls through the stack with. */
const lines = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n');

const bomb = [
  'a0: &a0 [x, x, x]',
  ...Array.from({ length: 20 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}]`),
];

/** By name; each is too much for a run spec. */
export const hostile: Readonly<Record<string, string>> = {
  '2000 brackets': '['.repeat(2000),
  '20000 brackets': '['.repeat(20_000),
  '500 brackets behind a key': `a: ${'['.repeat(500)}`,
  '2000 balanced brackets': '['.repeat(2000) + ']'.repeat(2000),
  '2000 braces': '{a: '.repeat(2000),
  '5000 dashes': '- '.repeat(5000),
  '5000 question marks': '? '.repeat(5000),
  '5000 colons': ': '.repeat(5000),
  'colons in brackets': `[${': '.repeat(3000)}`,
  'mappings by indentation': lines(300, (i) => `${' '.repeat(i)}a:`),
  'lists by indentation': lines(300, (i) => `${' '.repeat(i)}-`),
  'dashes and keys by turns': lines(200, (i) => `${' '.repeat(2 * i)}- a:`),
  'aliases that multiply': bomb.join('\n'),
  'many aliases': `a: &a x\nb: [${'*a, '.repeat(5000)}]`,
  'many anchors': '&a '.repeat(10_000),
  '300000 keys': lines(300_000, (i) => `k${i}: 1`),
  '50000 entries': `[${'a, '.repeat(50_000)}]`,
  '50000 closing brackets': ']'.repeat(50_000),
  '50000 commas': `[${','.repeat(50_000)}`,
  'a scalar of 5 MB': `a: ${'x'.repeat(5_000_000)}`,
  'a key of 5 MB': `${'x'.repeat(5_000_000)}: 1`,
  'a comment of 5 MB': `# ${'x'.repeat(5_000_000)}`,
  'comments of 5 MB': '# x\n'.repeat(1_250_000),
  'blanks of 5 MB': ' '.repeat(5_000_000),
  'a long tag': `!${'%20'.repeat(30_000)} a`,
  'a good spec with 5 MB behind it': `model: m\nstages:\n  - clone: { data: a.txt }\n${'# x\n'.repeat(1_250_000)}`,
};

/** By name; each is just within the limits, so that it is parsed. */
export const large: Readonly<Record<string, string>> = {
  'a scalar of 130 kB': `a: ${'x'.repeat(130_000)}`,
  'digits and underscores': `a: ${'1_'.repeat(65_000)}`,
  'a text over 65000 lines': `a: |\n${' x\n'.repeat(43_000)}`,
  'blanks in a scalar': `a: x${' '.repeat(130_000)}y`,
  'blank lines in a scalar': `a: x\n${' \n'.repeat(65_000)} y`,
  'a comment of 130 kB': `#${'x'.repeat(130_000)}`,
  'a key of 130 kB': `${'x'.repeat(130_000)}: 1`,
  'a word of 130 kB': 'x'.repeat(130_000),
  '950 keys': lines(950, (i) => `k${i}: 1`),
  '3900 closing brackets': ']'.repeat(3900),
  '3900 commas': `[${','.repeat(3900)}`,
  '1950 anchors': '&a '.repeat(1950),
  '1950 directives': '%x\n'.repeat(1950),
  '330 stages': `model: x\nstages:\n${'  - clone: {dta: a}\n'.repeat(330)}`,
};
