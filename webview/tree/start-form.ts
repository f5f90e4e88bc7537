/** Before there is a tree: what to search from, and for what. */
import { type TreeDraft, treeStart } from '../../server/protocol/index.ts';
import { button, dropdown, setDisabled, textArea, textField } from '../ui/controls.ts';
import { fill, h } from '../ui/elements.ts';
import { ask } from '../ui/host.ts';
import { chosenReward, likelyReward, rewardChoices } from './rewards.ts';

/** Settings a person is likely to change, with the search's own defaults where they are sensible for an editor. */
const settings = { breadth: 4, max_new: 48 };
/** A person wants children that differ: codes that write the same token are one. */
const merge = true;

/** @returns the form, and how it says what it waits for once it was sent */
export function startForm(
  draft: TreeDraft,
  failed: (error: unknown) => void,
): { readonly element: HTMLElement; wait(words: string): void } {
  let choice = likelyReward(draft);
  const prompt = textArea({ label: 'Prompt', placeholder: 'const total = ', rows: 8, value: draft.prompt });
  prompt.classList.add('prompt', 'code');
  const given = h('div', { class: 'given' });
  const about = h('p', { class: 'soft', id: 'about-reward' });
  let needed: ReturnType<typeof textArea> | undefined;
  const turn = (id: string) => {
    choice = id;
    const { about: sentence, needs } = rewardChoices.find((each) => each.id === id) ?? rewardChoices[0];
    fill(about, sentence);
    needed = needs && textArea({ ...needs, rows: 3 });
    fill(given, needed);
  };
  const choices = rewardChoices.map(({ id, label }) => ({ value: id, label }));
  const reward = dropdown({ label: 'Reward', options: choices, value: choice, onChange: turn });
  turn(choice);
  const number = (label: string, value: number) => textField({ label, value: String(value), size: 5 });
  const breadth = number('Branches at each node', settings.breadth);
  const longest = number('Longest answer, in tokens', settings.max_new);
  const start = async () => {
    setDisabled(go, true);
    state.textContent = 'Reading the prompt…';
    try {
      const { reward, row, options } = chosenReward(choice, needed?.value ?? '', draft);
      const sizes = { breadth: Number(breadth.value), max_new: Number(longest.value), merge };
      await ask(treeStart, { prompt: prompt.value, row: { ...row }, reward, options: { ...sizes, ...options } });
    } catch (error) {
      failed(error);
    } finally {
      setDisabled(go, false);
      state.textContent = '';
    }
  };
  const go = button({ label: 'Search', icon: 'type-hierarchy-sub', kind: 'primary', onPress: () => void start() });
  const state = h('span', { class: 'soft', role: 'status' });
  const row = (name: string, field: HTMLElement) =>
    h('div', { class: 'field' }, h('span', { class: 'soft' }, name), field);
  const element = h(
    'main',
    { class: 'empty start' },
    h('h1', {}, 'Search over latent actions'),
    h('p', {}, 'Grow a tree of continuations of a text, by what they are rewarded with, and steer it.'),
    h('div', { class: 'field given' }, h('span', { class: 'soft' }, 'Prompt'), prompt),
    row('Reward', reward),
    about,
    given,
    h('div', { class: 'fields' }, row('Branches', breadth), row('Longest answer, tokens', longest)),
    h('div', { class: 'start-go' }, go, state),
  );
  return {
    element,
    wait: (words) => {
      state.textContent = words;
    },
  };
}
