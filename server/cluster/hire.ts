/** Workers as the spec of a run wants them. */
import type { Hire } from '../train/run/hiring.ts';
import { Crew } from './crew.ts';
import { LocalCarrier } from './local.ts';
import { RayCarrier } from './ray.ts';

export const hire: Hire = (options) =>
  new Crew(options.settings.engine === 'ray' ? new RayCarrier(options.settings) : new LocalCarrier(), options);
