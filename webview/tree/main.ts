/** The tree explorer's page: asks what it is about, and shows a search, or the form that starts one. */
import './tree.css';
import type { ColaError } from '../../server/protocol/errors.ts';
import { type ResultOf, treeEvent, treeReady, treeTurned, treeWaiting } from '../../server/protocol/index.ts';
import { button } from '../ui/controls.ts';
import { fill, h } from '../ui/elements.ts';
import { ask, on, saved } from '../ui/host.ts';
import { Explorer } from './explorer.ts';
import { Skeleton, type Waiting, waitingWords } from './skeleton.ts';
import { startForm } from './start-form.ts';
import { readView, type ViewState } from './view-state.ts';

/** In milliseconds. */
const keepDelay = 200;

const page = document.getElementById('page') ?? document.body;
const trouble = h('div', { class: 'trouble', role: 'alert', hidden: true });
const content = h('div', { class: 'content' });
fill(page, trouble, content);

let explorer: Explorer | undefined;

function failed(error: unknown): void {
  const { message, remedy } = error as Partial<ColaError>;
  const close = button({ label: 'Close', icon: 'close', kind: 'icon', onPress: () => fail(false) });
  const words =
    error instanceof SyntaxError
      ? `The reward is not JSON: ${error.message}.`
      : `${message ?? String(error)} ${remedy ?? ''}`;
  fill(trouble, h('span', {}, words), close);
  fail(true);
}

function fail(shown: boolean): void {
  trouble.hidden = !shown;
}

function keptView(subject: ResultOf<typeof treeReady>['subject']): ViewState {
  const kept = saved.get() as { readonly subject?: unknown; readonly view?: unknown } | undefined;
  const same = JSON.stringify(kept?.subject) === JSON.stringify(subject);
  return readView(same ? kept?.view : undefined);
}

/** Keeps the latest view, a little later: it changes with every frame of a movement. */
function keeper(subject: unknown): (view: ViewState) => void {
  let latest: ViewState | undefined;
  return (view) => {
    if (latest === undefined) {
      setTimeout(() => {
        saved.set({ subject, view: latest });
        latest = undefined;
      }, keepDelay);
    }
    latest = view;
  };
}

/** Shows what the page waits for, wherever it waits. */
let waiting: (about: Waiting) => void = () => {};

async function open(): Promise<void> {
  fail(false);
  const skeleton = new Skeleton('Opening the tree…');
  waiting = (about) => skeleton.say(waitingWords(about));
  // A tree that is there stays until the next one is known.
  if (explorer === undefined) fill(content, skeleton.element);
  let ready: ResultOf<typeof treeReady>;
  try {
    ready = await ask(treeReady, {});
  } catch (error) {
    failed(error);
    const retry = button({ label: 'Try again', kind: 'primary', onPress: () => void open() });
    fill(content, h('main', { class: 'empty' }, h('p', {}, 'The search could not be opened.'), retry));
    return;
  }
  const { subject, search } = ready;
  explorer?.close();
  explorer = undefined;
  const view = keptView(subject);
  saved.set({ subject, view });
  if (search === null) {
    const form = startForm(subject.draft, failed);
    waiting = (about) => form.wait(waitingWords(about));
    fill(content, form.element);
    return;
  }
  explorer = new Explorer(search, ready, view, keeper(subject), failed);
  fill(content, explorer.element);
}

on(treeTurned, () => void open());
on(treeWaiting, (about) => waiting(about));
on(treeEvent, (event) => explorer?.heard(event));
void open();
