/** Guess the rule: three numbers obey a hidden rule or not (after Wason's 2-4-6 task). The agent tries some by a tool, then answers. */
import { z } from 'zod';
import { Random, seedFrom } from '../../random.ts';
import { type Game, type GameEnvironment, gameEnvironment, type StepResult, type Task } from '../environment.ts';
import { actionIn, toolCall, toolOf, writtenCall } from '../tools.ts';

type Triple = readonly [number, number, number];

const figures = {
  first: ([a]: Triple) => a,
  second: ([, b]: Triple) => b,
  third: ([, , c]: Triple) => c,
  sum: ([a, b, c]: Triple) => a + b + c,
  largest: (triple: Triple) => Math.max(...triple),
  smallest: (triple: Triple) => Math.min(...triple),
  difference: ([a, , c]: Triple) => c - a,
} as const;
const relations = {
  even: (x: number) => x % 2 === 0,
  odd: (x: number) => x % 2 !== 0,
  positive: (x: number) => x > 0,
  negative: (x: number) => x < 0,
  'above 5': (x: number) => x > 5,
  'multiple of 3': (x: number) => x % 3 === 0,
} as const;
type Figure = keyof typeof figures;
type Relation = keyof typeof relations;
const figureNames = Object.keys(figures) as [Figure, ...Figure[]];
const relationNames = Object.keys(relations) as [Relation, ...Relation[]];

export interface Rule {
  readonly figure: Figure;
  readonly relation: Relation;
}

export const rules: readonly Rule[] = figureNames.flatMap((figure) =>
  relationNames.map((relation) => ({ figure, relation })),
);
const holds = ({ figure, relation }: Rule, triple: Triple) => relations[relation](figures[figure](triple));

/** Every rule is on one side only. */
export const sideOf = ({ figure, relation }: Rule): Task['side'] =>
  seedFrom(figureNames.indexOf(figure), relationNames.indexOf(relation)) % 4 === 0 ? 'unseen' : 'seen';

const number = z.int().min(-20).max(20);
const tried = z.strictObject({ numbers: z.tuple([number, number, number]) });
const answered = z.strictObject({ figure: z.enum(figureNames), relation: z.enum(relationNames) });

const tools = [
  toolOf('try', 'Says whether three numbers from -20 to 20 obey the rule.', tried),
  toolOf('answer', 'Names the rule, and ends the game.', answered),
];

const instructions = [
  'There is a hidden rule about three numbers: one figure of them is as a relation says.',
  `Figures: ${figureNames.join(', ')} (third minus first is the difference).`,
  `Relations: ${relationNames.join(', ')}.`,
  'Find it. Write "try 2 4 6" or "answer sum even", or call the tools.',
].join('\n');

const invalid = 'That is no call of try or answer.';

type Move = { readonly try: Triple } | { readonly answer: Rule };

/** Reads a call, or its short form. */
function moveOf(text: string): Move | undefined {
  const call = toolCall(text);
  const words = actionIn(text).split(/\s+/);
  const name = call?.name ?? words[0];
  if (name === 'try') {
    const parsed = tried.safeParse(call?.arguments ?? { numbers: words.slice(1).map(Number) });
    return parsed.success ? { try: parsed.data.numbers } : undefined;
  }
  if (name !== 'answer') return undefined;
  const parsed = answered.safeParse(call?.arguments ?? { figure: words[1], relation: words.slice(2).join(' ') });
  return parsed.success ? { answer: parsed.data } : undefined;
}

/** Triples that an expert may try. */
const candidates = (() => {
  const random = new Random(1);
  const draw = () => random.integer(41) - 20;
  return Array.from({ length: 300 }, (): Triple => [draw(), draw(), draw()]);
})();

export class GuessTheRule implements Game {
  private rule!: Rule;
  private random!: Random;
  private left: readonly Rule[] = rules;
  private done = false;

  reset(seed: number, task: Task): string {
    this.random = new Random(seed);
    const own = rules.filter((rule) => sideOf(rule) === task.side);
    this.rule = own[this.random.integer(own.length)];
    this.left = rules;
    this.done = false;
    return 'What is the rule?';
  }

  step(text: string): StepResult {
    const move = this.done ? undefined : moveOf(text);
    if (move === undefined) return { observation: invalid, reward: 0, done: this.done, info: { possible: false } };
    if ('answer' in move) {
      this.done = true;
      const { figure, relation } = this.rule;
      const right = move.answer.figure === figure && move.answer.relation === relation;
      const observation = right ? 'Right.' : `Wrong. The rule is: ${figure} ${relation}.`;
      return { observation, reward: right ? 1 : 0, done: true, info: { possible: true, solved: right } };
    }
    const obeys = holds(this.rule, move.try);
    this.left = this.left.filter((rule) => holds(rule, move.try) === obeys);
    return { observation: obeys ? 'Yes.' : 'No.', reward: 0, done: false, info: { possible: true, solved: false } };
  }

  possible(): readonly string[] {
    const triple = Array.from({ length: 3 }, () => this.random.integer(41) - 20);
    return [`try ${triple.join(' ')}`, ...rules.map(({ figure, relation }) => `answer ${figure} ${relation}`)];
  }

  /** Tries what parts the rules that are left most evenly. */
  expert(): string {
    const { left } = this;
    let best: Triple | undefined;
    let least = left.length;
    for (const triple of candidates) {
      const yes = left.filter((rule) => holds(rule, triple)).length;
      const worst = Math.max(yes, left.length - yes);
      if (worst < least) [best, least] = [triple, worst];
    }
    return best === undefined ? writtenCall('answer', { ...left[0] }) : writtenCall('try', { numbers: best });
  }
}

export const guessTheRule = (): GameEnvironment =>
  gameEnvironment({ name: 'guess-the-rule', instructions, tools, range: [0, 1] }, () => new GuessTheRule());
