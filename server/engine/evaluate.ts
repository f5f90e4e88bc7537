/** Measures of a model as a job of the lane `train`: a completion goes before the next run of the device. */
import { join } from 'node:path';
import type { Devices } from '../device/devices.ts';
import { compareBeforeAfter } from '../evaluate/before-after.ts';
import { compareEvaluations, formatFigure } from '../evaluate/compare.ts';
import { evaluateRequest } from '../evaluate/request.ts';
import type { WeightShelf } from '../model/weights/shelf.ts';
import type { beforeAfter } from '../protocol/before-after.ts';
import type { ReceivedOf, ResultOf } from '../protocol/channel/request.ts';
import type { evaluate } from '../protocol/evaluate.ts';
import type { Job } from '../schedule/scheduler.ts';
import { inTurns } from '../schedule/turns.ts';
import { resolveModel } from '../spec/paths.ts';
import { runFolder } from '../store/run.ts';

const seed = 7;

/** @param say told what is being measured */
export function evaluation(
  params: ReceivedOf<typeof evaluate>,
  say: (text: string) => void,
  signal: AbortSignal,
  shelf: WeightShelf,
  devices: Devices,
): Job<ResultOf<typeof evaluate>> {
  return inTurns(async () => {
    const { folder: named, root, device: name, threads, measures, data, prompts, limit } = params;
    const folder = resolveModel(named, root);
    const { device, release } = await devices.take(name, threads === undefined ? {} : { threads });
    try {
      const request = { folder, root, measures, data, prompts, limit, seeds: [seed] };
      const found = await evaluateRequest(request, device, { signal, onProgress: say, tolerant: true, shelf });
      const { rows } = compareEvaluations([{ label: folder, evaluation: found }]);
      return {
        model: found.model,
        against: found.against,
        device: found.device,
        decoding: found.decoding,
        rows: rows.map(({ measure, name: figure, values }) => ({
          measure,
          name: figure,
          value: formatFigure(values[0] ?? null),
        })),
        skipped: found.skipped,
        json: found,
      };
    } finally {
      await release();
    }
  });
}

/** The model of a run beside the one it began with, on the same prompts. @param say told what is being written */
export function comparison(
  params: ReceivedOf<typeof beforeAfter>,
  say: (text: string) => void,
  signal: AbortSignal,
  shelf: WeightShelf,
  devices: Devices,
): Job<ResultOf<typeof beforeAfter>> {
  return inTurns(async () => {
    const { root, run: name, device: wanted, threads, limit } = params;
    const { device, release } = await devices.take(wanted, threads === undefined ? {} : { threads });
    try {
      const run = runFolder(root, name);
      const cacheFolder = join(root, '.cola', 'cache');
      const found = await compareBeforeAfter({ run, device, cacheFolder, limit, signal, say, shelf });
      return { ...found, device: device.name, rows: [...found.rows] };
    } finally {
      await release();
    }
  });
}
