/** Houses, drawn from a seed: rooms, places, things in them, and a task that can be done there. */
import { Random, seedFrom } from '../../random.ts';
import type { Task } from '../environment.ts';
import {
  type PlaceName,
  placeNames,
  places,
  type TaskKind,
  type ThingName,
  type Treatment,
  taskKinds,
  thingNames,
  things,
  treatments,
} from './things.ts';

export interface Place {
  /** As it is called: its kind and a number. */
  readonly name: string;
  readonly kind: PlaceName;
  open: boolean;
}

export interface Thing {
  readonly name: string;
  readonly kind: ThingName;
  /** Undefined while it is carried. */
  at: Place | undefined;
  state: Treatment | undefined;
}

export interface Goal {
  readonly kind: TaskKind;
  readonly thing: ThingName;
  /** Undefined where the thing is to be looked at under the lamp. */
  readonly to: PlaceName | undefined;
  readonly text: string;
}

export interface House {
  readonly places: readonly Place[];
  readonly things: readonly Thing[];
  /** Where the lamp stands. */
  readonly lamp: Place;
  readonly goal: Goal;
}

/** Places of each kind, in order: what tells one layout from another. */
type Layout = readonly (readonly [PlaceName, number])[];

const pick = <T>(random: Random, list: readonly T[]): T => list[random.integer(list.length)];

/** Of all layouts about a quarter is seen by nobody who learns. */
const sideOf = (layout: Layout): Task['side'] =>
  seedFrom(...layout.map(([, count]) => count)) % 4 === 0 ? 'unseen' : 'seen';

/** Rooms that a house can do without: it needs its kitchen, and one for the lamp. */
function dispensable(rooms: ReadonlySet<string>): string[] {
  const both = rooms.has('bedroom') && rooms.has('living room');
  return [...rooms].filter((room) => room === 'bathroom' || (both && room !== 'kitchen'));
}

/** @param most rooms */
function drawLayout(random: Random, most: number): Layout {
  const rooms = new Set<string>(['kitchen']);
  for (const room of ['bedroom', 'bathroom', 'living room']) if (random.uniform() < 0.6) rooms.add(room);
  // The lamp needs a desk or a coffee table.
  if (!rooms.has('bedroom') && !rooms.has('living room')) rooms.add(pick(random, ['bedroom', 'living room']));
  while (rooms.size > most) rooms.delete(pick(random, dispensable(rooms)));
  return placeNames.flatMap((kind): [PlaceName, number][] => {
    const { room, most } = places[kind];
    return rooms.has(room) ? [[kind, 1 + random.integer(most)]] : [];
  });
}

/** What can be wanted of a thing in a house. */
function goals(kinds: ReadonlySet<PlaceName>, kind: TaskKind): Omit<Goal, 'text'>[] {
  const kept = (thing: ThingName) => (things[thing].on as readonly PlaceName[]).filter((at) => kinds.has(at));
  return thingNames.flatMap((thing): Omit<Goal, 'text'>[] => {
    const on = kept(thing);
    // There must be a place to come from beside the place to go to.
    if (on.length < 2) return [];
    if (kind === 'look') return [{ kind, thing, to: undefined }];
    if (kind in treatments && !things[thing][treatments[kind as Treatment].able]) return [];
    return on.map((to) => ({ kind, thing, to }));
  });
}

function textOf({ kind, thing, to }: Omit<Goal, 'text'>): string {
  if (to === undefined || kind === 'look') return `look at a ${thing} under the desklamp`;
  if (kind === 'put') return `put a ${thing} in ${to}`;
  if (kind === 'put two') return `put two ${thing}s in ${to}`;
  return `put a ${treatments[kind].word} ${thing} in ${to}`;
}

/** The house of a seed. @param rooms most rooms that it has, two at least */
export function drawHouse(seed: number, task: Task, rooms = 4): House {
  const random = new Random(seed);
  let layout = drawLayout(random, rooms);
  while (sideOf(layout) !== task.side) layout = drawLayout(random, rooms);
  const all = layout.flatMap(([kind, count]) =>
    Array.from({ length: count }, (_, i): Place => ({ name: `${kind} ${i + 1}`, kind, open: !places[kind].opens })),
  );
  const kinds = new Set(all.map(({ kind }) => kind));
  const wanted = taskKinds.find((kind) => kind === task.kind) ?? pick(random, taskKinds);
  const goal = pick(random, goals(kinds, wanted));
  const held: Thing[] = [];
  const add = (kind: ThingName, away: PlaceName | undefined) => {
    const on = things[kind].on as readonly PlaceName[];
    const free = all.filter((at) => on.includes(at.kind) && at.kind !== away);
    if (free.length === 0) return;
    const number = held.filter((thing) => thing.kind === kind).length + 1;
    held.push({ name: `${kind} ${number}`, kind, at: pick(random, free), state: undefined });
  };
  for (let i = goal.kind === 'put two' ? 2 : 1; i > 0; i--) add(goal.thing, goal.to);
  for (let i = 4 + random.integer(5); i > 0; i--) {
    const kind = pick(random, thingNames);
    // Another of the kind must not be where it is wanted, either.
    add(kind, kind === goal.thing ? goal.to : undefined);
  }
  const lamps = all.filter(({ kind }) => kind === 'desk' || kind === 'coffeetable');
  return { places: all, things: held, lamp: pick(random, lamps), goal: { ...goal, text: textOf(goal) } };
}

/** What tells the layout of a house from another, for those who compare sides. */
export const layoutOf = ({ places: all }: House): string => all.map(({ name }) => name).join(', ');
