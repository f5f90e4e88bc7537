/** What there is in a house: places and things by kind, and what can be done with them. */

export interface PlaceKind {
  readonly room: 'kitchen' | 'bedroom' | 'bathroom' | 'living room';
  /** Whether it has a door or a lid. */
  readonly opens: boolean;
  /** Most of them in a house that has the room. */
  readonly most: number;
}

const place = (room: PlaceKind['room'], most: number, opens = false): PlaceKind => ({ room, most, opens });

export const places = {
  countertop: place('kitchen', 2),
  diningtable: place('kitchen', 1),
  sinkbasin: place('kitchen', 1),
  fridge: place('kitchen', 1, true),
  microwave: place('kitchen', 1, true),
  cabinet: place('kitchen', 3, true),
  bed: place('bedroom', 1),
  desk: place('bedroom', 1),
  drawer: place('bedroom', 3, true),
  toilet: place('bathroom', 1),
  cupboard: place('bathroom', 2, true),
  sofa: place('living room', 1),
  coffeetable: place('living room', 1),
  shelf: place('living room', 3),
  safe: place('living room', 1, true),
} as const satisfies Record<string, PlaceKind>;

export type PlaceName = keyof typeof places;
export const placeNames = Object.keys(places) as PlaceName[];

export interface ThingKind {
  readonly cleans: boolean;
  readonly heats: boolean;
  readonly cools: boolean;
  /** Where it may lie. */
  readonly on: readonly PlaceName[];
}

const kitchen: PlaceName[] = ['countertop', 'diningtable', 'cabinet', 'fridge', 'microwave', 'sinkbasin'];
const dry: PlaceName[] = ['bed', 'desk', 'drawer', 'sofa', 'coffeetable', 'shelf', 'safe', 'diningtable'];
const wet: PlaceName[] = ['toilet', 'cupboard', 'countertop', 'cabinet'];

const food = (on: readonly PlaceName[]): ThingKind => ({ cleans: true, heats: true, cools: true, on });
const dish = (heats: boolean): ThingKind => ({ cleans: true, heats, cools: heats, on: kitchen });
const stuff = (on: readonly PlaceName[], cleans = false): ThingKind => ({ cleans, heats: false, cools: false, on });

export const things = {
  apple: food(kitchen),
  potato: food(kitchen),
  tomato: food(kitchen),
  egg: food(kitchen),
  bread: { ...food(kitchen), cleans: false },
  mug: dish(true),
  cup: dish(true),
  plate: dish(true),
  fork: dish(false),
  spoon: dish(false),
  knife: dish(false),
  book: stuff(dry),
  pen: stuff(dry),
  pencil: stuff(dry),
  watch: stuff(dry),
  keychain: stuff(dry),
  newspaper: stuff(dry),
  pillow: stuff(['bed', 'sofa']),
  cloth: stuff(wet, true),
  soapbar: stuff(wet, true),
  candle: stuff([...wet, 'coffeetable', 'shelf']),
} as const satisfies Record<string, ThingKind>;

export type ThingName = keyof typeof things;
export const thingNames = Object.keys(things) as ThingName[];

/** What a thing is turned into, where, and what has it done to it. */
export const treatments = {
  clean: { at: 'sinkbasin', able: 'cleans', word: 'clean' },
  heat: { at: 'microwave', able: 'heats', word: 'hot' },
  cool: { at: 'fridge', able: 'cools', word: 'cool' },
} as const;
export type Treatment = keyof typeof treatments;
export const treatmentNames = Object.keys(treatments) as Treatment[];

/** The six kinds of task. */
export const taskKinds = ['put', 'look', 'clean', 'heat', 'cool', 'put two'] as const;
export type TaskKind = (typeof taskKinds)[number];
