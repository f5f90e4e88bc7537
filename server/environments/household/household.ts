/**
 * A household in words, of the kind that ALFWorld made of ALFRED (arXiv 2010.03768): nine kinds of action, six kinds of task, and
 * "Nothing happened." for what cannot be done. Nothing of theirs is in it.
 */
import { z } from 'zod';
import { type Game, type GameEnvironment, gameEnvironment, type StepResult, type Task } from '../environment.ts';
import { actionIn } from '../tools.ts';
import { Expert } from './expert.ts';
import { drawHouse, type House, type Place, type Thing } from './house.ts';
import { places, taskKinds, things, treatmentNames, treatments } from './things.ts';

export const householdOptions = z.strictObject({
  kind: z
    .enum(taskKinds)
    .optional()
    .meta({ description: 'One kind of task; all six in turn by chance, if not given.' }),
  subgoals: z
    .boolean()
    .default(false)
    .meta({ description: 'A quarter of the reward for having the thing, a quarter for having it as it is wanted.' }),
  rooms: z
    .int()
    .min(2)
    .max(4)
    .default(4)
    .meta({ description: 'Most rooms of a house: fewer are shorter to read and to search.' }),
  rules: z.boolean().default(true).meta({
    description:
      'Whether the agent is told what it can do; one that learned it from demonstrations reads less without.',
  }),
});
export type HouseholdOptions = z.infer<typeof householdOptions>;

const nothing = 'Nothing happened.';

const instructions = [
  'You live in a house and have a task to do. Each turn, write one action:',
  'go to PLACE · take THING from PLACE · put THING in PLACE · open PLACE · close PLACE · toggle desklamp',
  'clean THING with sinkbasin 1 · heat THING with microwave 1 · cool THING with fridge 1',
  'You can carry one thing. What cannot be done is answered by "Nothing happened."',
].join('\n');

const listed = (names: readonly string[]) => (names.length === 0 ? 'nothing' : names.map((n) => `a ${n}`).join(', '));

/** Reads and carries out actions in one house. */
export class Household implements Game {
  private house!: House;
  private here: Place | undefined;
  private lit = false;
  private done = false;
  private readonly reached = new Set<'had' | 'treated'>();
  private solver!: Expert;

  constructor(private readonly options: HouseholdOptions) {}

  reset(seed: number, task: Task): string {
    const kind = task.kind ?? this.options.kind;
    this.house = drawHouse(seed, { side: task.side, ...(kind === undefined ? {} : { kind }) }, this.options.rooms);
    this.here = undefined;
    this.lit = this.done = false;
    this.reached.clear();
    this.solver = new Expert(this.house);
    const rooms = new Map<string, string[]>();
    for (const { name, kind: of } of this.house.places)
      rooms.set(places[of].room, [...(rooms.get(places[of].room) ?? []), name]);
    const seen = [...rooms].map(([room, names]) => `In the ${room}: ${names.join(', ')}.`);
    return [`You are in a house.`, ...seen, `Your task: ${this.house.goal.text}.`].join('\n');
  }

  step(text: string): StepResult {
    if (this.done) return { observation: nothing, reward: 0, done: true, info: { possible: false } };
    const observation = this.act(actionIn(text).toLowerCase().replace(/\.$/, ''));
    const solved = this.solved();
    this.done = solved;
    const reward = this.earned(solved);
    const info = { possible: observation !== undefined, solved };
    return { observation: observation ?? nothing, reward, done: solved, info };
  }

  private get carried(): Thing | undefined {
    return this.house.things.find(({ at }) => at === undefined);
  }

  /** @returns what is seen then; undefined for what cannot be done */
  private act(action: string): string | undefined {
    const [verb] = action.split(' ', 1);
    const place = (name: string | undefined) => this.house.places.find((each) => each.name === name);
    const go = /^go to (.+)$/.exec(action);
    if (go !== null) return this.go(place(go[1]));
    const carrying = this.carried;
    const here = this.here;
    if (action === 'toggle desklamp') return this.toggle();
    const door = /^(open|close) (.+)$/.exec(action);
    if (door !== null) return this.door(place(door[2]), door[1] === 'open');
    const moved = /^(take|put|clean|heat|cool) (.+) (from|in|with) (.+)$/.exec(action);
    if (moved === null || here === undefined || moved[4] !== here.name) return undefined;
    const thing = this.house.things.find(({ name }) => name === moved[2]);
    if (thing === undefined) return undefined;
    if (verb === 'take' && moved[3] === 'from') {
      if (carrying !== undefined || thing.at !== here || !here.open) return undefined;
      thing.at = undefined;
      return `You take the ${thing.name} from the ${here.name}.`;
    }
    if (thing !== carrying) return undefined;
    if (verb === 'put' && moved[3] === 'in') {
      if (!here.open) return undefined;
      thing.at = here;
      return `You put the ${thing.name} in the ${here.name}.`;
    }
    const treatment = treatmentNames.find((name) => name === verb);
    if (treatment === undefined || moved[3] !== 'with') return undefined;
    const { at, able } = treatments[treatment];
    if (here.kind !== at || !things[thing.kind][able]) return undefined;
    thing.state = treatment;
    return `You ${treatment} the ${thing.name} with the ${here.name}.`;
  }

  private go(to: Place | undefined): string | undefined {
    if (to === undefined || to === this.here) return undefined;
    this.here = to;
    return to.open ? `You are at ${to.name}. ${this.seen(to)}` : `You are at ${to.name}. It is closed.`;
  }

  private door(at: Place | undefined, open: boolean): string | undefined {
    if (at === undefined || at !== this.here || !places[at.kind].opens || at.open === open) return undefined;
    at.open = open;
    return open ? `You open ${at.name}. ${this.seen(at)}` : `You close ${at.name}.`;
  }

  private toggle(): string | undefined {
    if (this.here !== this.house.lamp) return undefined;
    this.lit = !this.lit;
    return `You turn the desklamp ${this.lit ? 'on' : 'off'}.`;
  }

  private seen(at: Place): string {
    const lying = this.house.things.filter((thing) => thing.at === at).map(({ name }) => name);
    return `You see ${listed(at === this.house.lamp ? [...lying, 'desklamp'] : lying)}.`;
  }

  private solved(): boolean {
    const { goal, things: all } = this.house;
    const { carried } = this;
    if (goal.to === undefined) return carried?.kind === goal.thing && this.lit && this.here === this.house.lamp;
    const there = all.filter(({ kind, at }) => kind === goal.thing && at?.kind === goal.to);
    if (goal.kind === 'put two') return there.length >= 2;
    return there.some(({ state }) => goal.kind === 'put' || state === goal.kind);
  }

  private earned(solved: boolean): number {
    const { goal } = this.house;
    let earned = 0;
    const { carried } = this;
    if (this.options.subgoals && carried?.kind === goal.thing) {
      const plain = goal.kind === 'put' || goal.kind === 'look' || goal.kind === 'put two';
      const reached = plain || carried.state !== goal.kind ? (['had'] as const) : (['had', 'treated'] as const);
      for (const each of reached) {
        if (this.reached.has(each)) continue;
        this.reached.add(each);
        earned += 0.25;
      }
    }
    // What sub-goals have not given yet: an episode that is solved earned 1.
    return solved ? 1 - 0.25 * (this.reached.size - earned / 0.25) : earned;
  }

  possible(): readonly string[] {
    const { here, carried } = this;
    const list = this.house.places.filter((place) => place !== here).map(({ name }) => `go to ${name}`);
    if (here === undefined) return list;
    if (places[here.kind].opens) list.push(here.open ? `close ${here.name}` : `open ${here.name}`);
    if (here === this.house.lamp) list.push('toggle desklamp');
    if (carried === undefined) {
      for (const { name, at } of this.house.things)
        if (here.open && at === here) list.push(`take ${name} from ${here.name}`);
      return list;
    }
    if (here.open) list.push(`put ${carried.name} in ${here.name}`);
    for (const name of treatmentNames) {
      const { at, able } = treatments[name];
      if (here.kind === at && things[carried.kind][able]) list.push(`${name} ${carried.name} with ${here.name}`);
    }
    return list;
  }

  expert(): string {
    return this.solver.next(this.here, this.carried);
  }
}

export const household = (options: HouseholdOptions = householdOptions.parse({})): GameEnvironment =>
  gameEnvironment(
    { name: 'household', instructions: options.rules ? instructions : '', tools: [], range: [0, 1] },
    () => new Household(options),
  );
