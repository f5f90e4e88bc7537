/** What a run with workers says of them, in words and in figures. */

/** Figures of a step that have a number for each worker. */
export const workerFigures = [
  'worker_shards',
  'worker_replaced',
  'worker_bytes_sent',
  'worker_bytes_received',
  'worker_seconds_rollout',
  'worker_seconds_gradient',
  'worker_seconds_transfer',
  'worker_seconds_waiting',
] as const;
export type WorkerFigures = Readonly<Partial<Record<(typeof workerFigures)[number], readonly (number | null)[]>>>;

/** As many workers as are looked at. */
const mostWorkers = 4096;

/** The figures of workers in a step's; undefined where it has none. */
export function workersIn(line: Readonly<Record<string, unknown>>): WorkerFigures | undefined {
  if (!Array.isArray(line.worker_shards)) return undefined;
  const isNumber = (value: unknown) => value === null || typeof value === 'number';
  const found = workerFigures.flatMap((name) => {
    const { [name]: values } = line;
    return Array.isArray(values) && values.length <= mostWorkers && values.every(isNumber) ? [[name, values]] : [];
  });
  return Object.fromEntries(found) as WorkerFigures;
}

export interface Arrival {
  /** From 1. */
  readonly number: number;
  readonly host: string;
  readonly process: number;
  readonly device: string;
}

/** What a run is told when a worker is there. {@link arrivalIn} reads it again. */
export const arrivalText = ({ number, host, process, device }: Arrival) =>
  `Worker ${number} on ${host} (process ${process}) is there: ${device}.`;

/** The worker that an entry of a log says is there. */
export function arrivalIn(text: string): Arrival | undefined {
  const found = /^Worker (\d{1,6}) on (.{1,300}) \(process (\d{1,10})\) is there: (.{0,300})\.$/.exec(text);
  if (found === null) return undefined;
  const [, number, host, process, device] = found;
  return { number: Number(number), host, process: Number(process), device };
}
