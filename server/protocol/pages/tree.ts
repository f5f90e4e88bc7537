/** What the tree explorer and the extension say to each other. Which search the page shows, the extension knows. */
import { z } from 'zod';
import { nothing, notification, type RequestType, request } from '../channel/request.ts';
import {
  exportSearch,
  extendSearch,
  findInSearch,
  forceAction,
  inspectNode,
  markNode,
  pauseSearch,
  scoreNode,
  searchDescription,
  searchEvent,
  searchGrowth,
  searchKey,
  searchNodes,
  searchSimulations,
  startSearch,
} from '../search.ts';

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

/** What the page waits for while it is not answered: the engine, its model, or the search itself. */
export const treeWaiting = notification(
  'page/tree/waiting',
  z.object({ for: z.enum(['engine', 'model', 'search']), model: z.string().nullable() }),
);

export const treeStart = request('page/tree/start', startSearch.params.omit(own), nothing);
/** Leaves the search, with what it was about as the draft of the next. */
export const treeDraftNew = request('page/tree/new', nothing, nothing);
/** What the server is asked for what a page asks of its search. */
const verbs = new Map<RequestType, RequestType>();

/** A request of the server about a search, as a page asks it: which search it is, the extension adds. */
function ofThisSearch<S extends z.ZodRawShape, R extends z.ZodType>(
  type: RequestType<z.ZodObject<S, z.core.$strict>, R>,
): RequestType<z.ZodObject<Omit<S, keyof typeof own>, z.core.$strict>, R> {
  const params = z.strictObject(
    Object.fromEntries(Object.entries(type.params.shape).filter(([name]) => !Object.hasOwn(own, name))),
  ) as unknown as z.ZodObject<Omit<S, keyof typeof own>, z.core.$strict>;
  const asked = request(type.method.replace('cola/search/', 'page/tree/'), params, type.result);
  verbs.set(asked, type);
  return asked;
}

export const treeExtend = ofThisSearch(extendSearch);
export const treePause = ofThisSearch(pauseSearch);
export const treeGrowth = ofThisSearch(searchGrowth);
export const treeNodes = ofThisSearch(searchNodes);
export const treeSimulations = ofThisSearch(searchSimulations);
export const treeInspect = ofThisSearch(inspectNode);
export const treeForce = ofThisSearch(forceAction);
export const treeMark = ofThisSearch(markNode);
export const treeScore = ofThisSearch(scoreNode);
export const treeFind = ofThisSearch(findInSearch);

/** What a page asks and the server answers, in pairs. */
export const searchVerbs: ReadonlyMap<RequestType, RequestType> = verbs;

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
/** Opens the branch from the prompt to a node as text, beside the page. */
export const treeRead = request('page/tree/read', z.strictObject({ node }), nothing);
export const treeTune = request('page/tree/tune', z.strictObject({ node }), nothing);

/** With what the command that tunes from a path is called. */
export const tuneFromPath = z.object({ ...searchKey.shape, node, prompt: z.string(), text: z.string() });
export type TuneFromPath = z.infer<typeof tuneFromPath>;
