/** Codes in the order and the choice a person wants. */
import type { ActionProfile } from '../../server/protocol/actions.ts';
import { mapOrder } from './code-map.ts';

export type CodeOrder = 'code' | 'used' | 'label' | 'effect';

/** What is shown of a code on its card. */
export interface CodeCard {
  readonly code: number;
  /** Null where the file says nothing about it. */
  readonly profile: ActionProfile | null;
  /** Null where it has none that can be read. */
  readonly label: string | null;
}

/** One card a code, whether there is a profile of it or not. */
export function cardsOf(
  codes: number,
  profiles: readonly ActionProfile[],
  labels: readonly (string | null)[],
): CodeCard[] {
  const known = new Map(profiles.map((profile) => [profile.code, profile]));
  return Array.from({ length: codes }, (_, code) => ({
    code,
    profile: known.get(code) ?? null,
    label: labels[code] ?? null,
  }));
}

/** @param columns of the grid: in the order by effect those beside and below each other do alike */
export function orderedCards(cards: readonly CodeCard[], order: CodeOrder, columns: number): CodeCard[] {
  if (order === 'effect') {
    const places = mapOrder(
      cards.map(({ profile }) => profile),
      columns,
    );
    return places.flatMap((place) => cards[place] ?? []);
  }
  const usage = ({ profile }: CodeCard) => profile?.usage.policy ?? -1;
  const label = (card: CodeCard) => card.label ?? '\uffff';
  const orders: Record<Exclude<CodeOrder, 'effect'>, (a: CodeCard, b: CodeCard) => number> = {
    code: (a, b) => a.code - b.code,
    used: (a, b) => usage(b) - usage(a) || a.code - b.code,
    label: (a, b) => label(a).localeCompare(label(b)) || a.code - b.code,
  };
  return [...cards].sort(orders[order]);
}

/** Whether a card answers to the text: its number, its label, one of its tokens. */
export function answers({ code, profile, label }: CodeCard, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  if (wanted === '' || wanted === String(code) || wanted === `#${code}`) return true;
  if (profile === null) return false;
  return [label ?? '', ...profile.tokens.map((token) => token.text)].some((each) =>
    each.toLowerCase().includes(wanted),
  );
}

/** What the use of a code is, in words. */
export function usageWords(profile: ActionProfile): string {
  const percent = (share: number) =>
    share === 0 ? 'never' : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} % of the tokens`;
  return `The policy chooses it for ${percent(profile.usage.policy)}, the inverse dynamics for ${percent(profile.usage.inverse)}.`;
}

/** Whether forcing the code does something of its own, judged against forcing codes at random. */
export function forcingWords({ forced }: ActionProfile, prompts: number): string {
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const change = `Forced once, it changes ${percent(forced.changed)} of ${prompts} texts; a random code changes ${percent(forced.changed_random)}.`;
  const noise =
    2 *
    Math.sqrt((forced.fits * (1 - forced.fits) + forced.fits_random * (1 - forced.fits_random)) / Math.max(1, prompts));
  const own = forced.fits - forced.fits_random;
  const fit = `The next token is one of its own in ${percent(forced.fits)} of them, against ${percent(forced.fits_random)} under a random code`;
  return `${change} ${fit}${Math.abs(own) <= noise ? ', a difference within the noise' : ''}.`;
}
