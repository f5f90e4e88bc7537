/** Workers as the spec of a run wants them, or whoever asks for a measurement. */
import type { HireMeasurers } from '../evaluate/measuring.ts';
import type { ClusterSettings } from '../spec/settings/cluster.ts';
import type { Hire } from '../train/run/hiring.ts';
import { Crew } from './crew.ts';
import { type Employment, measuringWork, stageWork } from './employment.ts';
import { LocalCarrier } from './local.ts';
import { RayCarrier } from './ray.ts';

const crew = (work: Employment) =>
  new Crew(work.settings.engine === 'ray' ? new RayCarrier(work.settings) : new LocalCarrier(), work);

export const hire: Hire = (options) => crew(stageWork(options));

/**
 * @param threads of each worker
 * @param say hears of workers who come and go
 */
export const hireMeasurers =
  (settings: ClusterSettings, threads: number, say: (text: string) => void): HireMeasurers =>
  (plan) =>
    crew(measuringWork({ ...plan, threads }, settings, say));
