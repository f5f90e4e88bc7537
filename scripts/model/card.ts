/** Writes the model card, `assets/nano/README.md`, from the figures that `measure.ts` collected. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { healthyCodes } from '../../server/protocol/figures/healthy-codes.ts';
import { CORPUS } from '../corpus/rows.ts';
import { type Measured, measured } from './measured.ts';
import { BOX, MEASURED } from './parts.ts';

const stats = z.looseObject({
  train: z.record(z.string(), z.object({ files: z.int(), bytes: z.int() })),
  heldout: z.record(z.string(), z.object({ files: z.int(), bytes: z.int() })),
});

const mega = (n: number) => (n / 1e6).toFixed(1);
const kindNames = { all: 'all', ts: 'TypeScript', js: 'JavaScript', md: 'Markdown' } as const;

/** A mean with the spread over seeds, where there are several. */
function figureOf(
  { results }: Measured['text'],
  measure: 'codebook' | 'marginal' | 'accuracy' | 'pass@k',
  name: string,
): string {
  const figure = results[measure]?.[name];
  if (figure === undefined) return 'not measured';
  const digits = Number.isInteger(figure.mean) && figure.spread === null ? 0 : 3;
  const mean = figure.mean.toFixed(digits);
  return figure.spread === null ? mean : `${mean} ± ${figure.spread.toFixed(3)}`;
}

/** @param corpus counts of the texts, where they are at hand */
export function cardOf(figures: Measured, corpus: z.infer<typeof stats> | undefined): string {
  const { parameters, text, countdown, countdownTokens, statements } = figures;
  const code = (name: string) => figureOf(text, 'codebook', name);
  const marginal = (name: string) => figureOf(text, 'marginal', name);
  const answer = (of: Measured['text'], name: string) =>
    figureOf(of, name.startsWith('pass_at') ? 'pass@k' : 'accuracy', name);
  const bitRows = (['all', 'ts', 'js', 'md'] as const).flatMap((kind) => {
    const row = figures.bits[kind];
    if (row === undefined) return [];
    const cells = [row.model, row['5-gram'], row['xz -9e'], row['gzip -9']].map((x) => x?.toFixed(3) ?? '-');
    return [`| ${kindNames[kind]} | ${mega(row.bytes)} | ${cells.join(' | ')} |`];
  });
  const counts =
    corpus === undefined
      ? ''
      : `Training texts: ${Object.entries(corpus.train)
          .map(([kind, { files, bytes }]) => `${kind} ${files} texts, ${mega(bytes)} MB`)
          .join('; ')}.\n`;
  return `---
license: mit
library_name: cola-studio
tags: [latent-actions, cola, typescript]
---

# nano: the model in the box

A small language model with latent actions, for trying CoLA Studio without a download: it completes TypeScript and JavaScript after a
fashion, from the text before the cursor, and has learned from countdown problems, so that reinforcement has something to start from.
Every figure below was written by \`scripts/model/measure.ts\` on ${figures.date} (device: ${figures.device}); \`npm run make-model\` makes the model from nothing.

## What it is

| | |
|---|---|
| base | Llama, ${mega(parameters.base)} M parameters: width 320, 5 layers, 5 heads, context 512, tied embedding |
| tokenizer | byte-level BPE, 4096 tokens, single digits, marks for chat and for filling in the middle |
| latent actions | 64 codes; inverse dynamics of 2 blocks, policy of 3, world model of 2 merge layers: ${mega(parameters.added)} M parameters |
| files | ${mega(figures.bytes)} MB, float16 safetensors; \`actions.json\` says what each code does |

## Data

Published npm packages under permissive licences, and generated countdown and arithmetic problems; no file of a held-out package's authors
is in training. [SOURCES.md](SOURCES.md) names every package with version, licence and authors.
${counts}
## How well it predicts

Bits per byte of held-out packages, lower is better (context of 512 tokens, at least 256 but at the beginning of a text):

| text | MB | nano | byte 5-gram | xz -9e | gzip -9 |
|---|---:|---:|---:|---:|---:|
${bitRows.join('\n')}

The 5-gram model (interpolated Kneser-Ney) was trained on the same texts.

## Latent actions, on held-out text

| measure | value |
|---|---:|
| codes alive (argmax of the inverse dynamics), of 64 | ${code('alive')} |
| usage entropy, nats (ln 64 = 4.159) | ${code('usage_entropy')} |
| L_pred: loss under the actions of the inverse dynamics, nats | ${code('prediction')} |
| loss under a random code, nats | ${code('random_loss')} |
| bits an action (marginal less L_pred, at the same places) | ${code('bits')} |
| share of forced codes that the inverse dynamics names again | ${code('recovered')} |
| loss of the base, nats | ${code('base_loss')} |
| share of next tokens that some code leads to | ${code('reach')} |
| cloning: loss of the policy against these actions, nats | ${code('clone_loss')} |
| loss of the marginal, nats (base at the same positions: ${marginal('base_cross_entropy')}) | ${marginal('cross_entropy')} |
| KL(marginal ‖ base), nats | ${marginal('kl_marginal_base')} |

L_pred below the base loss proves nothing by itself, nor do codes that are in use: an action may give the next token away. A codebook is
called healthy from ${healthyCodes.bits} bits an action and ${100 * healthyCodes.recovered} % of forced codes on.

## Countdown (compact form, ${countdown.settings.prompts} unseen problems)

| | by latent actions | by tokens |
|---|---:|---:|
| solved, greedy | ${answer(countdown, 'greedy_solved')} | ${answer(countdownTokens, 'greedy_solved')} |
| solved, sampled | ${answer(countdown, 'sampled_solved')} | ${answer(countdownTokens, 'sampled_solved')} |
| pass@8 | ${answer(countdown, 'pass_at_8')} | ${answer(countdownTokens, 'pass_at_8')} |

With ± the spread over ${countdown.seeds.length} seeds of the sampling.

## Does what it writes parse?

${statements.parsed} of ${statements.count} statements (${(100 * statements.rate).toFixed(0)} %): function bodies of held-out TypeScript files were cut behind a statement, the model went on by greedy actions, and its
first statement was put before the rest of the file. It counts if TypeScript's parser finds no error; ending the body (${statements.none} times) does not count.

## Limits

- It is very small: names and types are often invented, and longer completions lose their way. Read what it writes.
- English and code of the JavaScript world only; a context of 512 tokens.
- It answers no questions. The chat format is there for the generated problems.
- It may repeat short pieces of its training texts, all of which are under permissive licences.

Licence: MIT, as CoLA Studio.
`;
}

if (process.argv[1]?.endsWith('card.ts')) {
  const figures = measured.parse(JSON.parse(await readFile(MEASURED, 'utf8')));
  const file = join(CORPUS, 'stats.json');
  const corpus = existsSync(file) ? stats.parse(JSON.parse(await readFile(file, 'utf8'))) : undefined;
  await writeFile(join(BOX, 'README.md'), cardOf(figures, corpus));
}
