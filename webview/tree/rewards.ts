/** Rewards a person can choose without writing a run spec. */
import type { TreeDraft } from '../../server/protocol/index.ts';

export interface RewardChoice {
  readonly id: string;
  readonly label: string;
  /** One sentence: what it rewards. */
  readonly about: string;
  /** What else the person must give. */
  readonly needs?: { readonly label: string; readonly placeholder: string };
}

/** A reward as a search is started with it. */
export interface ChosenReward {
  readonly reward: unknown;
  readonly row: Readonly<Record<string, unknown>>;
  /** Settings of the search that belong to it. */
  readonly options: Readonly<Record<string, unknown>>;
}

const repetition = { reward: 'repetition', weight: 0.5 };

export const rewardChoices: readonly RewardChoice[] = [
  {
    id: 'code',
    label: 'Code without mistakes',
    about: 'The share of the text before its first syntax error, as TypeScript, less what it repeats.',
  },
  { id: 'tests', label: 'Passes the tests', about: "The share of the row's tests that pass." },
  { id: 'maths', label: 'Right answer (maths)', about: "Whether the boxed answer equals the row's answer." },
  { id: 'exact', label: 'Right answer (exact)', about: "Whether the text equals the row's answer." },
  { id: 'countdown', label: 'Countdown', about: 'Whether the numbers of the row reach its target.' },
  {
    id: 'similarity',
    label: 'Close to a text',
    about: 'How much of the text is as in yours.',
    needs: { label: 'Text to come close to', placeholder: 'The text as you would like it' },
  },
  { id: 'repetition', label: 'No repetition', about: 'Less for every run of words that came before.' },
  {
    id: 'value',
    label: 'Value head, no reward',
    about: 'What the model itself expects; needs a model with a value head.',
  },
  {
    id: 'custom',
    label: 'As in a run spec…',
    about: 'Any reward of a run spec, as JSON.',
    needs: { label: 'Reward as JSON', placeholder: '{"length": {"max": 40, "unit": "words"}}' },
  },
];

const codeLanguages = ['javascript', 'javascriptreact', 'typescript', 'typescriptreact'];

/** The one that fits what the prompt comes from. */
export function likelyReward({ row, language }: TreeDraft): string {
  if ('tests' in row) return 'tests';
  if ('numbers' in row && 'target' in row) return 'countdown';
  if ('answer' in row) return 'maths';
  return codeLanguages.includes(language) ? 'code' : 'repetition';
}

/**
 * @param given what {@link RewardChoice.needs} asks for
 * @throws SyntaxError where it should be JSON and is not
 */
export function chosenReward(id: string, given: string, { row }: TreeDraft): ChosenReward {
  const plain = (reward: unknown): ChosenReward => ({ reward, row, options: {} });
  switch (id) {
    case 'code': {
      const code = { code: { read: 'continued', parse: 1, test: 0 } };
      return plain({ sum: [{ reward: code }, repetition] });
    }
    case 'tests':
      return plain({ code: { parse: 0.1, test: 0.9 } });
    case 'similarity':
      return { ...plain('similarity'), row: { ...row, answer: given } };
    case 'value':
      // Answers that end are still judged, and must have some score.
      return { ...plain('repetition'), options: { value: { value: 1 } } };
    case 'custom':
      return plain(JSON.parse(given));
    default:
      return plain(id);
  }
}

/** In a word or two: `code + repetition`. */
export function rewardName(reward: unknown): string {
  if (typeof reward === 'string') return reward;
  if (typeof reward !== 'object' || reward === null) return '–';
  const [name, value] = Object.entries(reward)[0] ?? ['–'];
  if (name !== 'sum' || !Array.isArray(value)) return name;
  return value.map((term: { readonly reward?: unknown }) => rewardName(term.reward)).join(' + ');
}
