/**
 * Whether a run goes wrong, followed from its events: what a person wants to be told who does not look at the dashboard. That a
 * loss is not a number ends a run, and is told as its failure. Knows nothing of the editor.
 */
import { collapsedEntropy, collapseOf } from '../../server/protocol/figures/collapse.ts';
import type { WireTrainEvent } from '../../server/protocol/runs.ts';
import { t } from '../l10n.ts';

type Kind = 'entropy' | 'length' | 'cut' | 'codes' | 'one';

export interface Health {
  /** Figures of the steps of the stage, from its beginning. */
  readonly entropy: readonly number[];
  readonly lengths: readonly number[];
  readonly finished: readonly number[];
  /** Uses of codes at the first measurement of the stage. */
  readonly usage: readonly number[] | undefined;
  /** What was said already: each thing once in a stage. */
  readonly told: readonly Kind[];
}

export const healthy: Health = { entropy: [], lengths: [], finished: [], usage: undefined, told: [] };

/** The first steps and the last ones are looked at: a run may have a million. */
function kept(values: readonly number[], value: unknown): readonly number[] {
  if (typeof value !== 'number') return values;
  return values.length < 40 ? [...values, value] : [...values.slice(0, 10), ...values.slice(11), value];
}

/** What is known after an event, and what goes wrong now, in a sentence. */
export function examine(health: Health, event: WireTrainEvent): { readonly health: Health; readonly trouble?: string } {
  switch (event.kind) {
    case 'stage':
      return { health: healthy };
    case 'step': {
      const { entropy, answer_tokens: length, finished } = event.metrics;
      const next = {
        ...health,
        entropy: kept(health.entropy, entropy),
        lengths: kept(health.lengths, length),
        finished: kept(health.finished, finished),
      };
      return tell(next, stepTrouble(next));
    }
    case 'evaluation': {
      const { usage } = event.metrics;
      if (!Array.isArray(usage)) return { health };
      const counts = usage.map((n) => n ?? 0);
      const next = { ...health, usage: health.usage ?? counts };
      return tell(next, codeTrouble(next.usage, counts));
    }
    default:
      return { health };
  }
}

type Found = readonly [Kind, string][];

function tell(health: Health, found: Found): { readonly health: Health; readonly trouble?: string } {
  const [news] = found.filter(([kind]) => !health.told.includes(kind));
  if (news === undefined) return { health };
  return { health: { ...health, told: [...health.told, news[0]] }, trouble: news[1] };
}

const short = (value: number) => Number(value.toPrecision(2)).toString();

function stepTrouble({ entropy, lengths, finished }: Health): Found {
  const found: [Kind, string][] = [];
  const certain = collapsedEntropy(entropy);
  if (certain !== undefined)
    found.push([
      'entropy',
      t(
        'Entropy fell from {0} to {1} nats: the policy hardly varies any more.',
        short(certain.first),
        short(certain.now),
      ),
    ]);
  const shorter = collapseOf(lengths, 0.2, 5);
  if (shorter !== undefined)
    found.push(['length', t('Answers shrank from {0} to {1} tokens.', short(shorter.first), short(shorter.now))]);
  const cut = collapseOf(finished, 0.5, 0.6);
  if (cut !== undefined)
    found.push([
      'cut',
      t(
        '{0} of the answers are cut off at the longest length, {1} at first.',
        share(1 - cut.now),
        share(1 - cut.first),
      ),
    ]);
  return found;
}

const share = (x: number) => `${Math.round(100 * x)} %`;
const used = (counts: readonly number[]) => counts.filter((n) => n > 0).length;
const largest = (counts: readonly number[]) =>
  Math.max(...counts) /
  Math.max(
    1,
    counts.reduce((a, b) => a + b, 0),
  );

function codeTrouble(first: readonly number[], now: readonly number[]): Found {
  const found: [Kind, string][] = [];
  if (used(first) >= 8 && used(now) < used(first) / 4)
    found.push([
      'codes',
      t('Only {0} of {1} codes are used any more, {2} at first.', used(now), now.length, used(first)),
    ]);
  if (largest(now) > 0.8 && largest(first) < 0.5)
    found.push(['one', t('Code {0} makes {1} of the choices.', now.indexOf(Math.max(...now)), share(largest(now)))]);
  return found;
}
