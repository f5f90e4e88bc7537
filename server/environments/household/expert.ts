/** Plays a household as somebody would who knows where things are wont to lie, and looks only where there is something to see. */
import type { House, Place, Thing } from './house.ts';
import { type PlaceName, things, treatmentNames, treatments } from './things.ts';

export class Expert {
  private readonly looked = new Set<Place>();

  constructor(private readonly house: House) {}

  /** The next action. */
  next(here: Place | undefined, carried: Thing | undefined): string {
    if (here?.open) this.looked.add(here);
    const { goal, lamp } = this.house;
    if (carried === undefined) return this.fetch(here);
    if (carried.kind !== goal.thing) return this.at(here, here, (place) => `put ${carried.name} in ${place.name}`);
    if (goal.to === undefined) {
      // The lamp must be on while the thing is there.
      return here === lamp ? 'toggle desklamp' : `go to ${lamp.name}`;
    }
    const treatment = treatmentNames.find((name) => name === goal.kind);
    if (treatment !== undefined && carried.state !== treatment) {
      const where = this.placeOf(treatments[treatment].at, here);
      return here === where ? `${treatment} ${carried.name} with ${where.name}` : `go to ${where.name}`;
    }
    const to = this.placeOf(goal.to, here);
    return this.at(here, to, (place) => `put ${carried.name} in ${place.name}`);
  }

  /** One of a kind: the one where the player stands, else the first. */
  private placeOf(kind: PlaceName, here: Place | undefined): Place {
    if (here?.kind === kind) return here;
    const found = this.house.places.find((place) => place.kind === kind);
    if (found === undefined) throw new Error(`a house without ${kind}`);
    return found;
  }

  /** Goes there, opens it, then does something. */
  private at(here: Place | undefined, to: Place | undefined, then: (place: Place) => string): string {
    const place = to ?? this.house.places[0];
    if (here !== place) return `go to ${place.name}`;
    return place.open ? then(place) : `open ${place.name}`;
  }

  /** Takes a thing that was seen, else looks where such things are wont to lie. */
  private fetch(here: Place | undefined): string {
    const { goal, places } = this.house;
    const wanted = this.house.things.filter(({ kind, at }) => kind === goal.thing && at?.kind !== goal.to);
    const known = wanted.find(({ at }) => at !== undefined && this.looked.has(at));
    if (known !== undefined) return this.at(here, known.at, (place) => `take ${known.name} from ${place.name}`);
    const usual = things[goal.thing].on as readonly PlaceName[];
    const left = places.filter((place) => !this.looked.has(place) && usual.includes(place.kind));
    const to = left.find((place) => place === here) ?? left[0];
    if (to === undefined) throw new Error('a house without what is wanted');
    return this.at(here, to, (place) => `go to ${place.name}`);
  }
}
