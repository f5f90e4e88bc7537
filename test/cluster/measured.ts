/** Measurements over many prompts whose workers a test brings. */
import { join } from 'node:path';
import type { Carrier } from '../../server/cluster/carrier.ts';
import { Crew } from '../../server/cluster/crew.ts';
import { measuringWork } from '../../server/cluster/employment.ts';
import type { Device } from '../../server/device/device.ts';
import { evaluateModel } from '../../server/evaluate/evaluate.ts';
import type { HireMeasurers } from '../../server/evaluate/measuring.ts';
import { defaultSettings, searchMeasure } from '../../server/evaluate/report.ts';
import { clusterSettings } from '../../server/spec/settings/cluster.ts';

/** @param changed what workers are told otherwise */
export const hiring =
  (
    carrier: Carrier,
    workers: number,
    say: (text: string) => void,
    changed: Partial<Parameters<HireMeasurers>[0]> = {},
  ): HireMeasurers =>
  (plan) =>
    new Crew(carrier, measuringWork({ ...plan, ...changed, threads: 1 }, clusterSettings.parse({ workers }), say));

/** Measures a model on the rows of a folder. @param hire undefined for this process alone */
export const measuredIn = (root: string, device: Device, model: string, hire: HireMeasurers | undefined) =>
  evaluateModel({
    device,
    model,
    hire,
    measures: ['accuracy', 'pass@k', 'search'],
    task: {
      ...{ prompts: 'rows.jsonl', held_out: 'rows.jsonl', reward: { similarity: {} } },
      ...{ max_new: 5, temperature: 1, top_k: 0, solved_at: 0.5 },
    },
    seeds: [1, 2],
    // Four prompts are sampled at once, and each is searched by itself.
    settings: {
      ...defaultSettings,
      ...{ prompts: 5, samples: 64 },
      search: searchMeasure.parse({ prompts: 3, tokens: 12, breadth: 3, q_above: -0.999 }),
    },
    specFile: join(root, 'x.cola.yaml'),
  });
