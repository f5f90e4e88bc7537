/** What the page of a conversation and the extension say to each other. Which episode the page plays, the extension knows. */
import { z } from 'zod';
import { nothing, notification, request } from '../channel/request.ts';
import { runSample } from '../history.ts';
import {
  pickAlternative,
  playAlternatives,
  playProgress,
  playSetup,
  playState,
  restartPlay,
  takeTurn,
  turnBack,
} from '../play.ts';
import { runKey } from '../runs.ts';

/** What a page shows: an episode of a run, or one that is played. */
export const conversationSubject = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('sample'), run: runKey, sample: runSample }),
  z.strictObject({ kind: z.literal('play'), setup: playSetup, model: z.string().max(200).nullable() }),
  z.strictObject({ kind: z.literal('none') }),
]);
export type ConversationSubject = z.infer<typeof conversationSubject>;

/** What it is about; asked first. */
export const readConversation = request(
  'page/conversation/subject',
  nothing,
  z.object({ subject: conversationSubject }),
);
/** Opens the episode of the page, or finds it as it stands. */
export const conversationOpen = request('page/conversation/open', nothing, playState);
/** Asks the person what to play, in a page of its own. */
export const conversationPlay = request('page/conversation/play', nothing, nothing);
/** Searches over turns from where the episode stands, in a page of its own. */
export const conversationSearch = request('page/conversation/search', nothing, nothing);
/** To the page: what is waited for, and what is written meanwhile. */
export const conversationProgress = notification('page/conversation/progress', playProgress);

const own = { play: true } as const;
export const conversationTurn = request(
  'page/conversation/turn',
  z.discriminatedUnion('by', [
    takeTurn.params.options[0].omit(own),
    takeTurn.params.options[1].omit(own),
    takeTurn.params.options[2].omit(own),
  ]),
  playState,
);
export const conversationAlternatives = request(
  'page/conversation/alternatives',
  playAlternatives.params.omit(own),
  playAlternatives.result,
);
export const conversationPick = request('page/conversation/pick', pickAlternative.params.omit(own), playState);
export const conversationBack = request('page/conversation/back', turnBack.params.omit(own), playState);
export const conversationRestart = request('page/conversation/restart', restartPlay.params.omit(own), playState);
