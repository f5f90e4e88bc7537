/** Words that no label shows: tokens are pieces of words, and some pieces are words of another kind. */

const rude = new Set(
  'anal anus arse ass bitch butt cock coon crap cum cunt damn dick dyke fag fuck fuk hell homo hore jerk nazi nig nigg nigger piss poo porn pussy rape sex shit slut tit tits turd twat wank whore'.split(
    ' ',
  ),
);

/** Whether a label says one of them, by itself or as the beginning of a longer form (`fucking`). */
export function isRude(label: string): boolean {
  const words = label.toLowerCase().split(/[^\p{L}]+/u);
  return words.some((word) => rude.has(word) || /^(fuck|shit|cunt|nigg|bitch)/.test(word));
}
