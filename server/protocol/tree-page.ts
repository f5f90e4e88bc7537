/** What the tree explorer and the extension say to each other. Which search the page shows, the extension knows. */
import { z } from 'zod';
import { nothing, notification, request } from './request.ts';
import {
  exportSearch,
  extendSearch,
  findInSearch,
  findText,
  forceAction,
  growth,
  growthFrom,
  inspectNode,
  markNode,
  scoreNode,
  searchDescription,
  searchEvent,
  searchKey,
  simulation,
  startSearch,
  treeNode,
} from './search.ts';

const own = { root: true, search: true } as const;
const node = z.int().nonnegative();

/** What a search is to be about, as far as it is known. */
export const treeDraft = z.strictObject({
  prompt: z.string().max(1_000_000),
  /** Columns of the data row. */
  row: z.record(z.string(), z.unknown()),
  /** Language of the editor the prompt comes from. */
  language: z.string(),
});
export type TreeDraft = z.infer<typeof treeDraft>;

/** What a page of the tree explorer is about: a search, or one to come. */
export const treeSubject = z.strictObject({ key: searchKey.nullable(), draft: treeDraft });
export type TreeSubject = z.infer<typeof treeSubject>;

export const treeEventParams = searchEvent.params.omit(own);
export type TreeEvent = z.infer<typeof treeEventParams>;

/** Asked first, and again when {@link treeTurned} comes. */
export const treeReady = request(
  'page/tree/ready',
  nothing,
  z.object({
    subject: treeSubject,
    search: searchDescription.nullable(),
    /** The latest word of the search; null before the first. */
    event: treeEventParams.nullable(),
    /** Whether there is something that tunes from a path. */
    canTune: z.boolean(),
  }),
);
/** The page is to show another search. */
export const treeTurned = notification('page/tree/turned', nothing);
export const treeEvent = notification('page/tree/event', treeEventParams);

export const treeStart = request('page/tree/start', startSearch.params.omit(own), nothing);
/** Leaves the search, with what it was about as the draft of the next. */
export const treeDraftNew = request('page/tree/new', nothing, nothing);
export const treeExtend = request('page/tree/extend', extendSearch.params.omit(own), nothing);
export const treePause = request('page/tree/pause', nothing, nothing);
export const treeGrowth = request('page/tree/growth', growthFrom, growth);
export const treeNodes = request(
  'page/tree/nodes',
  z.strictObject({ ids: z.array(node).max(5000) }),
  z.object({ nodes: z.array(treeNode) }),
);
export const treeSimulation = request('page/tree/simulation', z.strictObject({ order: node }), simulation);
export const treeInspect = request('page/tree/inspect', inspectNode.params.omit(own), inspectNode.result);
export const treeForce = request('page/tree/force', forceAction.params.omit(own), forceAction.result);
export const treeMark = request('page/tree/mark', markNode.params.omit(own), nothing);
export const treeScore = request('page/tree/score', scoreNode.params.omit(own), nothing);
export const treeFind = request('page/tree/find', findText, findInSearch.result);

/** Asks the person for a file and writes it; `svg` is the drawing as the page has it. */
export const treeExport = request(
  'page/tree/export',
  z.discriminatedUnion('format', [
    exportSearch.params.omit(own),
    z.strictObject({ format: z.literal('svg'), text: z.string().max(100_000_000) }),
  ]),
  nothing,
);
const text = z.strictObject({ text: z.string().max(1_000_000) });
/** Puts the text at the cursor of the editor that was used last. */
export const treeInsert = request('page/tree/insert', text, nothing);
export const treeCopy = request('page/tree/copy', text, nothing);
export const treeTune = request('page/tree/tune', z.strictObject({ node }), nothing);

/** With what the command that tunes from a path is called. */
export const tuneFromPath = z.object({ ...searchKey.shape, node, prompt: z.string(), text: z.string() });
export type TuneFromPath = z.infer<typeof tuneFromPath>;

/** A simulation as {@link treeSimulation} answers it. */
export type OneSimulation = z.infer<typeof simulation>;
