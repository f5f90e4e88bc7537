/** Logs of people who know what they want, made with a model that is there. */
import type { LoadedModel } from '../../server/completion/loaded-model.ts';
import type { FeedbackLine } from '../../server/feedback/lines.ts';
import { type Place, SimulatedPerson } from '../../server/tuning/simulated-person.ts';

const words = ['const', 'let', 'return', 'value', 'items', 'total', 'if', 'for', 'name', 'index'];

export const places = (count: number, from = 0): Place[] =>
  Array.from({ length: count }, (_, i) => {
    const k = from + i;
    const pick = (n: number) => words[(k * 7 + n * 3 + Math.floor(k / 10)) % words.length];
    return {
      name: `file${k % 5}.ts`,
      prefix: `${pick(0)} ${pick(1)}${k} = ${pick(2)}(${pick(3)}, ${k});\n${pick(4)} `,
      rest: 'x',
    };
  });

/** What a person does who wants alternatives that begin with one of some actions, and puts every other one away. */
export async function judgedBy(
  model: LoadedModel,
  count: number,
  wants: (action: number) => boolean,
  from = 0,
): Promise<FeedbackLine[]> {
  const person = new SimulatedPerson(model, 4, 4);
  const lines: FeedbackLine[] = [];
  for (const [i, place] of places(count, from).entries()) {
    const sitting = await person.sit(place, `m${from + i}`, 1000 * (from + i + 1));
    const [moment] = sitting.lines;
    if (moment?.kind !== 'moment') continue;
    lines.push(moment);
    for (const [alternative, { actions, pieces }] of moment.alternatives.entries()) {
      const about = { kind: 'event' as const, at: moment.at, moment: moment.id, alternative };
      const { length } = pieces.join('');
      if (wants(actions[0])) lines.push({ ...about, what: 'accepted', part: 'whole', characters: length });
      else lines.push({ ...about, what: 'rejected', reason: 'escape', characters: 0 });
    }
  }
  return lines;
}
