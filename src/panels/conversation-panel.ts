/** Conversations of agents with their environments: one of a run, or one that is played in the engine as long as its page is open. */
import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import { CancellationTokenSource, commands, Disposable } from 'vscode';
import { ColaError } from '../../server/protocol/errors.ts';
import {
  type ConversationSubject,
  closePlay,
  conversationAlternatives,
  conversationBack,
  conversationOpen,
  conversationPick,
  conversationPlay,
  conversationProgress,
  conversationRestart,
  conversationSearch,
  conversationSubject,
  conversationTurn,
  extendSearch,
  openPlay,
  type ParamsOf,
  type PlayProgress,
  type PlaySetup,
  type PlayState,
  pickAlternative,
  playAlternatives,
  type RequestType,
  type ResultOf,
  readConversation,
  readPlay,
  restartPlay,
  type SearchKey,
  startTurnSearch,
  takeTurn,
  turnBack,
} from '../../server/protocol/index.ts';
import { studioErrors } from '../errors.ts';
import { needTrust } from '../folders.ts';
import { t } from '../l10n.ts';
import { searchName } from '../search-name.ts';
import { setting } from '../settings.ts';
import type { Studio } from '../studio.ts';
import { type OpenPage, PagePanels } from './page-panels.ts';

/** Episodes that a search over turns begins with. */
const firstEpisodes = 32;

export function conversationPanels(studio: Studio): PagePanels<ConversationSubject> {
  return new PagePanels<ConversationSubject>(studio, {
    viewType: 'cola.conversation',
    page: 'conversation',
    subject: conversationSubject,
    nothing: { kind: 'none' },
    title: titleOf,
    key: () => undefined,
    attach: (page) => attach(studio, page),
  });
}

function titleOf(subject: ConversationSubject): string {
  if (subject.kind === 'play') return t('Play {environment}', { environment: subject.setup.environment });
  return subject.kind === 'sample' ? t('Conversation, step {0}', subject.sample.step) : t('Conversation');
}

function attach(studio: Studio, page: OpenPage<ConversationSubject>): Disposable {
  const { host } = page;
  const play = randomUUID();
  const open = async (setup: PlaySetup, signal: AbortSignal): Promise<PlayState> => {
    needTrust(t('An environment'));
    const threads = setting('cola.threads');
    const where = { device: setting('cola.device'), precision: setting('cola.precision') };
    return asked(openPlay, { play, ...setup, ...where, ...(threads > 0 ? { threads } : {}) }, signal);
  };
  const setupOf = () => {
    if (page.subject.kind !== 'play') throw studioErrors.noPlay();
    return page.subject.setup;
  };
  host.answer(readConversation, async () => ({ subject: page.subject }));
  host.answer(conversationPlay, async () => {
    await commands.executeCommand('cola.play');
    return {};
  });
  // A page that was hidden finds the episode as it was; after the engine has ended there is none.
  host.answer(conversationOpen, (_, signal) =>
    orGone(
      () => asked(readPlay, { play }, signal),
      () => open(setupOf(), signal),
    ),
  );
  host.answer(conversationTurn, (params, signal) => asked(takeTurn, { play, ...params }, signal));
  host.answer(conversationAlternatives, (_, signal) => asked(playAlternatives, { play }, signal));
  host.answer(conversationPick, (params, signal) => asked(pickAlternative, { play, ...params }, signal));
  host.answer(conversationBack, (_, signal) => asked(turnBack, { play }, signal));
  host.answer(conversationSearch, async (_, signal) => {
    const { root, environment, model } = setupOf();
    if (model === null) throw studioErrors.noPlayer();
    const { seed, side, turns } = await asked(readPlay, { play }, signal);
    const behind = turns.map(({ said }) => said);
    const key: SearchKey = {
      root,
      search: searchName(
        t('{environment} world {seed}', { environment: basename(environment).replace(/\..*$/, ''), seed }),
      ),
    };
    const about = { environment, seed, side, model, behind, options: {} };
    await asked(startTurnSearch, { ...key, ...about }, signal);
    await commands.executeCommand('cola.openTree', key);
    await studio.request(extendSearch, { ...key, simulations: firstEpisodes });
    return {};
  });
  host.answer(conversationRestart, (world, signal) => {
    const setup = { ...setupOf(), ...world };
    if (page.subject.kind === 'play') page.turnTo({ ...page.subject, setup });
    return orGone(
      () => asked(restartPlay, { play, ...world }, signal),
      () => open(setup, signal),
    );
  });
  return new Disposable(() => {
    if (page.subject.kind !== 'play' || studio.status?.engine !== 'ready') return;
    studio.request(closePlay, { play }).catch((error: unknown) => studio.log.warn(`An episode stays open: ${error}`));
  });

  async function asked<T extends RequestType>(type: T, params: ParamsOf<T>, signal: AbortSignal): Promise<ResultOf<T>> {
    const source = new CancellationTokenSource();
    const cancel = () => source.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      return await studio.request(type, params, source.token, (progress) =>
        host.tell(conversationProgress, progress as PlayProgress),
      );
    } finally {
      signal.removeEventListener('abort', cancel);
      source.dispose();
    }
  }
}

/** What there is, or what is made where the engine knows of none. */
async function orGone<T>(there: () => Promise<T>, made: () => Promise<T>): Promise<T> {
  try {
    return await there();
  } catch (error) {
    if (error instanceof ColaError && error.id === 'engine.noPlay') return made();
    throw error;
  }
}
