/**
 * Runs in processes of their own whose calls of the system fail or kill them at chosen places, by a library in front of the C
 * library (disturb.c), and what came of them.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runFolder } from '../../server/store/run.ts';
import { program } from '../support/bundled.ts';
import { linesOf, madeCola, stages, writeData } from '../support/runs.ts';

const compiler = '/usr/bin/cc';
/** Whether calls can be disturbed here. */
export const canDisturb = process.platform === 'linux' && existsSync(compiler);
if (process.platform === 'linux' && !canDisturb)
  console.log(`Runs are not killed at calls of the system: missing ${compiler} (packages gcc and libc6-dev).`);

/** The calls by which a run changes what is on the disk. */
export const changingCalls = ['open', 'write', 'fsync', 'ftruncate', 'rename', 'mkdir', 'unlink', 'rmdir'] as const;
export type ChangingCall = (typeof changingCalls)[number];

/** What becomes of the n-th call of a kind that reaches the run: the process ends before or behind it, or the call fails. */
export interface Disturbance {
  readonly call: ChangingCall | 'any';
  readonly nth: number;
  readonly action: 'kill' | 'after' | 'count' | `${number}` | `${number}+`;
}

export interface End {
  /** Exit code, or the name of the signal. */
  readonly code: number | string | null;
  readonly said: string;
  /** Calls that were disturbed, with their paths. */
  readonly hits: readonly string[];
}

/** A folder with a model, and the outcome of a run that nothing disturbed. */
export class Bench {
  private readonly place = mkdtempSync(join(tmpdir(), 'cola-disturbed-'));
  private readonly root = join(this.place, 'project');
  private model = '';
  private count = 0;
  private expected: unknown;
  /** The calls by which the undisturbed run writes. */
  private known: readonly string[] = [];

  async prepare(): Promise<void> {
    writeData(this.root);
    if (canDisturb) {
      const options = ['-shared', '-fPIC', '-O1', '-o', join(this.place, 'disturb.so')];
      execFileSync(compiler, [...options, join(import.meta.dirname, 'disturb.c'), '-ldl']);
    }
    this.model = await madeCola(this.root);
    const whole = this.fresh();
    const counting = canDisturb ? ({ call: 'any', nth: 0, action: 'count' } as const) : undefined;
    const { code, said, hits } = await this.run(whole, counting);
    if (code !== 0) throw new Error(said);
    this.known = hits.map((hit) => hit.split(' ')[0]);
    this.expected = this.outcome(whole);
  }

  remove(): void {
    rmSync(this.place, { recursive: true, force: true });
  }

  /** The name of a run that is not there yet. */
  fresh(): string {
    return `run-${++this.count}`;
  }

  /** Starts a run, or goes on with it. @param killAfter milliseconds, whatever is being done then */
  run(id: string, disturbance?: Disturbance, killAfter?: number): Promise<End> {
    const job = join(this.place, `${id}.json`);
    // Two stages, so that there is a change from one to the next.
    const list = [{ clone: { ...stages(4).clone.clone } }, { reinforce: { ...stages(4).grpo.reinforce } }];
    const spec = { model: this.model, device: 'cpu', threads: 1, seed: 7, stages: list };
    writeFileSync(job, JSON.stringify({ root: this.root, id, spec }));
    const log = join(this.place, `${id}.hits`);
    rmSync(log, { force: true });
    const child = spawn(process.execPath, [program('train-child'), job], {
      cwd: this.root,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...(disturbance && this.environment(id, disturbance, log)) },
    });
    const timer = killAfter === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfter);
    let said = '';
    child.stderr.on('data', (text) => {
      said = `${said}${text}`.slice(-4000);
    });
    return new Promise((resolve) => {
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        const hits = existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n') : [];
        resolve({ code: code ?? signal, said, hits });
      });
    });
  }

  private environment(id: string, { call, nth, action }: Disturbance, log: string): NodeJS.ProcessEnv {
    const fault = `${call} ${nth} ${action} /.cola/runs/${id}`;
    return { LD_PRELOAD: join(this.place, 'disturb.so'), COLA_FAULT: fault, COLA_FAULT_LOG: log };
  }

  /** How many calls of a kind reach the undisturbed run. */
  callsOf(call: ChangingCall): number {
    return this.known.filter((each) => each === call).length;
  }

  /** Weights and logs, without what depends on the clock. */
  private outcome(id: string): Record<string, unknown> {
    const folder = runFolder(this.root, id);
    const files: Record<string, unknown> = {};
    for (const name of ['model', 'best']) {
      if (!existsSync(join(folder, name))) continue;
      for (const file of readdirSync(join(folder, name)).filter((each) => each.endsWith('.safetensors')))
        files[`${name}/${file}`] = readFileSync(join(folder, name, file)).toString('base64');
    }
    return { metrics: linesOf(this.root, id, 'metrics'), samples: linesOf(this.root, id, 'samples'), ...files };
  }

  /** Undefined where a finished run is what it would have been undisturbed; else the first part that is not. */
  difference(id: string): string | undefined {
    const actual = this.outcome(id);
    const expected = this.expected as Record<string, unknown>;
    const names = new Set([...Object.keys(actual), ...Object.keys(expected)]);
    return [...names].find((name) => JSON.stringify(actual[name]) !== JSON.stringify(expected[name]));
  }

  forget(id: string): void {
    rmSync(runFolder(this.root, id), { recursive: true, force: true });
    for (const end of ['json', 'hits']) rmSync(join(this.place, `${id}.${end}`), { force: true });
  }
}
