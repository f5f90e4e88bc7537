/** Workers as the spec of a run wants them. */
import type { Hire } from '../train/run/hiring.ts';
import { Crew } from './crew.ts';
import { LocalCarrier } from './local.ts';

export const hire: Hire = (options) => new Crew(new LocalCarrier(), options);
