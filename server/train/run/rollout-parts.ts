/** What rollouts have in memory: those that a stage learns from, and those of held-out prompts that it is measured by. */
import type { ModelConfig } from '../../model/config/config.ts';
import { sampledRows } from '../measures/prompts.ts';
import { decodingPart, type MemoryPart, type PlannedDecoding } from './memory-parts.ts';

export interface PlannedAnswers extends Pick<PlannedDecoding, 'step' | 'added' | 'learns'> {
  /** Tokens of a prompt, and most of an answer behind it. */
  readonly prompt: number;
  readonly behind: number;
}

/** How many prompts a round has, and how many answers each of them. */
interface Round {
  readonly prompts: number;
  readonly group: number;
}

export interface PlannedRollouts extends PlannedAnswers, Round {
  /** Whether the states of the base that an answer passes are kept. */
  readonly keepsHidden?: boolean;
}

const floatBytes = 4;

/** A round's rollouts: the answers to a prompt stand behind it in groups. */
export function rolloutsPart(config: ModelConfig, planned: PlannedRollouts): MemoryPart {
  const { prompts, group, prompt, behind, keepsHidden = false, ...decoder } = planned;
  const [rows, length] = [prompts * group, prompt + behind];
  return decodingPart(config, {
    what: 'rollouts',
    rows,
    length,
    branched: { sharers: group, behind },
    reads: [prompt],
    kept: keepsHidden ? floatBytes * rows * length * config.hiddenSize : 0,
    ...decoder,
  });
}

/**
 * Held-out prompts that are answered greedily and by sampling, as `evaluatePrompts` does it: programs for other numbers of rows,
 * each with the weights that do not learn.
 *
 * @param round of the rollouts that are learned from, if there are any
 */
export function measuringParts(
  config: ModelConfig,
  { prompt, behind, ...decoder }: PlannedAnswers,
  held: { readonly evaluate_rows: number; readonly evaluate_samples: number },
  round?: Round,
): MemoryPart[] {
  const length = prompt + behind;
  const { greedy, sampled } = sampledRows(held.evaluate_rows, held.evaluate_samples);
  return [
    decodingPart(config, { what: 'held-out answers', rows: greedy, length, reads: [prompt], ...decoder }),
    // A round of as many prompts with as many answers has the same programs.
    ...(held.evaluate_samples === round?.group && sampled === round.prompts * round.group
      ? []
      : [
          decodingPart(config, {
            what: 'held-out samples',
            rows: sampled,
            length,
            branched: { sharers: held.evaluate_samples, behind },
            reads: [prompt],
            ...decoder,
          }),
        ]),
  ];
}
