/** Search over latent actions: a tree that grows while it is watched. */
import { z } from 'zod';
import { figure, nothing, notification, request } from './channel/request.ts';

export const searchKey = z.strictObject({
  /** Folder whose `.cola/searches` holds the search. */
  root: z.string().min(1),
  search: z.string().regex(/^[A-Za-z0-9][\w.-]{0,99}$/),
});
export type SearchKey = z.infer<typeof searchKey>;

/** The key as one word, for maps and for what the editor tells apart. */
export const searchId = ({ root, search }: SearchKey): string => `${root}\0${search}`;

const node = z.int().nonnegative();
const range = { from: z.int().nonnegative().default(0), to: z.int().nonnegative().optional() };
const simulations = z.int().positive().max(1_000_000);

/** Makes a search with the model that is loaded. Nothing runs before {@link extendSearch}. */
export const startSearch = request(
  'cola/search/start',
  searchKey.extend({
    prompt: z.string().min(1).max(1_000_000),
    /** Columns of the data row, for the reward. */
    row: z.record(z.string(), z.unknown()).default({}),
    /** The reward as a run spec has it. */
    reward: z.unknown(),
    /** Settings of the search; each has a default. */
    options: z.record(z.string(), z.unknown()).default({}),
  }),
  nothing,
);
/** A world in which a search goes over turns, and where in it. */
export const turnWorld = z.strictObject({
  /** As `cola play` takes it: a name, a module, an address, or a run spec. */
  environment: z.string().min(1).max(4096),
  seed: z.int().nonnegative().max(0x7fffffff),
  side: z.enum(['seen', 'unseen']),
});
const exchange = z.strictObject({ said: z.string().max(20_000), observation: z.string().max(1_000_000) });

/**
 * Makes a search over turns, from where an episode stands: each node is a state behind a turn and what was said to it, and is worth
 * what is earned from there. Nothing runs before {@link extendSearch}.
 */
export const startTurnSearch = request(
  'cola/search/startTurns',
  searchKey.extend({
    ...turnWorld.shape,
    /** Folder of a model, a run or `builtin:nano`. */
    model: z.string().min(1).max(4096),
    /** What was said before, turn by turn. */
    behind: z.array(z.string().max(20_000)).max(200).default([]),
    /** Settings of the search; each has a default. */
    options: z.record(z.string(), z.unknown()).default({}),
  }),
  nothing,
);
/** Searches on. Answered at once; progress and the end come as {@link searchEvent}. */
export const extendSearch = request('cola/search/extend', searchKey.extend({ simulations }), nothing);
/** Ends what {@link extendSearch} began; the tree is kept. Answered when it stands still. */
export const pauseSearch = request('cola/search/pause', searchKey, nothing);
/** Frees a search's memory; its file stays. */
export const closeSearch = request('cola/search/close', searchKey, nothing);

/** Tries an action at a node, seen or not, and visits nothing else there. */
export const forceAction = request(
  'cola/search/force',
  searchKey.extend({ node, action: z.int().nonnegative() }),
  z.object({ node }),
);
export const markNode = request(
  'cola/search/mark',
  searchKey.extend({ node, mark: z.enum(['force', 'ban', 'release']) }),
  nothing,
);
/** A person's score; null takes it back. */
export const scoreNode = request(
  'cola/search/score',
  searchKey.extend({ node, score: z.number().nullable() }),
  nothing,
);

export const treeNode = z.object({
  id: node,
  /** -1 for the root. */
  parent: z.int().min(-1),
  /** Text, actions and labels of the edge to the node. */
  text: z.string(),
  actions: z.array(z.int()),
  visits: z.int(),
  /** Mean value; null before the first visit. */
  q: figure,
  prior: figure,
  value: figure,
  reward: figure,
  score: figure,
  terminal: z.boolean(),
  banned: z.boolean(),
  forced: z.boolean(),
  unscored: z.boolean(),
  /** Simulations done when it was made. */
  born: z.int(),
});
export type TreeNode = z.infer<typeof treeNode>;

/** Nodes by id, in order of creation: a range, or those with the ids. */
export const searchNodes = request(
  'cola/search/nodes',
  searchKey.extend({ ...range, ids: z.array(node).max(5000).optional() }),
  z.object({ count: z.int(), simulations: z.int(), nodes: z.array(treeNode).max(20_000) }),
);

const simulation = z.object({
  order: z.int(),
  node: z.int(),
  value: figure,
  reward: figure,
  parts: z.record(z.string(), figure),
  noScore: z.string().nullable(),
  text: z.string(),
  actions: z.array(z.int()),
});
export type OneSimulation = z.infer<typeof simulation>;
/** Simulations in order, to show the tree as it was. */
export const searchSimulations = request(
  'cola/search/simulations',
  searchKey.extend(range),
  z.object({ count: z.int(), simulations: z.array(simulation).max(20_000) }),
);

/** What a person or a reward said of a node, as bits. */
export const nodeFlags = {
  /** The answer has ended. */
  terminal: 1,
  /** A person forbade this branch. */
  banned: 2,
  /** A person wants only this branch (and forced siblings) of its parent. */
  forced: 4,
  /** The reward had no score for this node's simulation. */
  unscored: 8,
} as const;

const column = <T extends z.ZodType>(value: T) => z.array(value).max(20_000);

/** The shape of the tree, and what its simulations were worth, in columns: enough to lay it out, and to show it as it was. */
const growth = z.object({
  /** How many there are; the columns may end before, and are then asked for again. */
  count: z.int(),
  simulations: z.int(),
  nodes: z.object({
    parent: column(z.int().min(-1)),
    /** Simulations done when it was made. */
    born: column(z.int()),
    /** First action of the edge; -1 for the root. */
    action: column(z.int().min(-1)),
    /** Tokens on the edge. */
    length: column(z.int().nonnegative()),
    prior: column(figure),
    /** Bits of {@link nodeFlags}. */
    flags: column(z.int().nonnegative()),
    score: column(figure),
  }),
  simulated: z.object({
    node: column(node),
    /** What was backed up; null if it was not counted. */
    value: column(figure),
    reward: column(figure),
  }),
  /** Nodes whose N and Q are other than before these simulations, with both. */
  visited: z.object({ node: z.array(node), visits: z.array(z.int()), q: z.array(figure) }),
});
export type Growth = z.infer<typeof growth>;
/** What came since there were so many nodes and simulations. */
export const searchGrowth = request(
  'cola/search/growth',
  searchKey.extend({ nodes: z.int().nonnegative(), simulations: z.int().nonnegative() }),
  growth,
);

export const searchDescription = z.object({
  prompt: z.string(),
  /** The reward as a run spec has it. */
  reward: z.unknown(),
  /** Settings with their defaults. */
  options: z.record(z.string(), z.unknown()),
  /** Discount for each edge. */
  gamma: z.number(),
  model: z.string(),
  /** Labels of the latent actions, by code; empty where nothing is chosen by them. */
  labels: z.array(z.string().nullable()),
  /** Where edges are turns: the world, what is seen first, and the turns before the root; null of a search over actions. */
  world: turnWorld.extend({ start: z.string(), behind: z.array(exchange) }).nullable(),
});
export type SearchDescription = z.infer<typeof searchDescription>;
/** What a search is about. */
export const describeSearch = request('cola/search/describe', searchKey, searchDescription);

/** Nodes whose edge completes the text, whatever its case; the text may begin in edges before. At most 1000. */
export const findInSearch = request(
  'cola/search/find',
  searchKey.extend({ text: z.string().min(1).max(1000) }),
  z.object({ nodes: z.array(node) }),
);

/** A search as a file: all of it, or a page to read. */
export const exportSearch = request(
  'cola/search/export',
  searchKey.extend({ format: z.enum(['json', 'html']) }),
  z.object({ text: z.string() }),
);

/** All codes at a node, most probable first, tried or not; where edges are turns, those that are there, each a token of its own. */
export const inspectNode = request(
  'cola/search/inspect',
  searchKey.extend({ node }),
  z.object({
    value: figure,
    /** What was taken from the prompt to the node, one action a token, or a turn. */
    path: z.array(z.object({ action: z.int(), text: z.string() })),
    codes: z.array(
      z.object({
        action: z.int(),
        label: z.string().nullable(),
        probability: z.number(),
        /** The next token, and its text. Codes of one token lead to the same state. */
        token: z.int(),
        text: z.string(),
        q: figure,
        /** The child this action leads to, where there is one, and its share of the visits. */
        child: node.nullable(),
        share: z.number(),
      }),
    ),
  }),
);

export const searchEvent = notification(
  'cola/search/event',
  searchKey.extend({
    simulations: z.int(),
    nodes: z.int(),
    /** Best reward so far, and the node it is at. */
    best: z.object({ node, value: figure }).nullable(),
    rootValue: figure,
    /** Why it stands still; null while it runs. */
    end: z.enum(['simulations', 'tokens', 'seconds', 'ended', 'solved', 'exhausted', 'cancelled', 'failed']).nullable(),
    message: z.string().optional(),
    remedy: z.string().optional(),
  }),
);
export type SearchEvent = z.infer<typeof searchEvent.params>;
