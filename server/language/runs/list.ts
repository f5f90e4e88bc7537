/** The runs on disk, with what is known of those under way. */
import { join } from 'node:path';
import { ColaError } from '../../errors.ts';
import { holdsModel } from '../../files/model-files.ts';
import { type ListedRun, type RunEvent, type RunState, runId } from '../../protocol/runs.ts';
import { parseSpec } from '../../spec/document.ts';
import { type StageSpec, shownScore, stageOf } from '../../spec/stages.ts';
import { runsInTurn, viewOf } from '../../store/all-runs.ts';
import { position } from '../../store/position.ts';
import type { RunView } from '../../store/run.ts';
import { readNote } from '../../store/run-note.ts';

const underWay = (state: RunState | undefined) => state === 'running' || state === 'paused' || state === 'resuming';

export class RunList {
  private readonly states = new Map<string, RunState>();
  /** The stages of runs, by path: their specs never change. */
  private readonly stages = new Map<string, readonly StageSpec[]>();
  /** What was told already. */
  private readonly told = new Set<string>();

  /** @param onDamaged told once of everything that keeps a run out of the list */
  constructor(private readonly onDamaged: (error: ColaError) => void = () => {}) {}

  note({ root, run, event }: RunEvent): void {
    if (event.kind === 'state') this.states.set(runId({ root, run }), event.state);
  }

  /** Whether a run is under way. */
  get busy(): boolean {
    return [...this.states.values()].some((state) => state === 'running' || state === 'resuming');
  }

  /**
   * The runs of several folders, as they are on disk and in the engine. One that cannot be read hides no other.
   *
   * @param engine process id of the engine: what another process writes to is not ours
   * @throws store.cannotRead, files.* where the only folder there is cannot be read
   */
  async list(roots: readonly string[], engine: number | undefined): Promise<ListedRun[]> {
    const found: ListedRun[] = [];
    for (const root of roots) {
      try {
        for await (const view of runsInTurn(root, (error) => this.tell(error)))
          found.push(this.describe(root, view, engine));
      } catch (error) {
        if (!(error instanceof ColaError) || roots.length === 1) throw error;
        this.tell(error);
      }
    }
    return found;
  }

  /** One of them; undefined where it is not there, or cannot be read. */
  one(root: string, name: string, engine: number | undefined): ListedRun | undefined {
    const view = viewOf(root, name, (error) => this.tell(error));
    return view === undefined ? undefined : this.describe(root, view, engine);
  }

  private tell(error: ColaError): void {
    if (this.told.has(error.message)) return;
    this.told.add(error.message);
    this.onDamaged(error);
  }

  private describe(root: string, view: RunView, engine: number | undefined): ListedRun {
    const { id: run, path, updated } = view;
    const holder = this.holderOf(view);
    const done = holdsModel(join(path, 'model'));
    const known = this.states.get(runId({ root, run }));
    const state = known !== undefined && (underWay(known) || known === 'failed') ? known : done ? 'done' : 'stopped';
    const elsewhere = !underWay(known) && holder !== undefined && holder.pid !== engine;
    const interrupted = state === 'stopped' && !elsewhere && this.interrupted(view);
    const note = this.noteOf(path);
    return { root, run, path, state, done, updated, elsewhere, interrupted, note, ...this.progress(view) };
  }

  /** A log that cannot be read says nothing. */
  private interrupted(view: RunView): boolean {
    try {
      return view.interrupted;
    } catch (error) {
      if (!(error instanceof ColaError)) throw error;
      this.tell(error);
      return false;
    }
  }

  /** A note that cannot be read says nothing. */
  private noteOf(path: string): string {
    try {
      return readNote(path);
    } catch (error) {
      if (!(error instanceof ColaError)) throw error;
      this.tell(error);
      return '';
    }
  }

  /** Who writes to a run; a lock that is no file says nothing. */
  private holderOf(view: RunView): RunView['holder'] {
    try {
      return view.holder;
    } catch (error) {
      if (!(error instanceof ColaError)) throw error;
      this.tell(error);
      return undefined;
    }
  }

  private progress(view: RunView): Pick<ListedRun, 'checkpoint' | 'stage' | 'best'> {
    try {
      const checkpoint = view.latestCheckpoint();
      if (checkpoint === null) return { checkpoint: null, stage: null, best: null };
      const { at, done, best } = checkpoint.state(position);
      const stages = this.stagesOf(view);
      const planned = stages[at];
      const stage = { index: at, count: stages.length, name: planned?.name ?? '', step: done };
      return { checkpoint: checkpoint.step, stage, best: best === null ? null : bestOf(planned, best.score) };
    } catch (error) {
      // A checkpoint that is deleted while it is read, or damaged: resuming the run will say more.
      if (!(error instanceof ColaError)) throw error;
      return { checkpoint: null, stage: null, best: null };
    }
  }

  private stagesOf({ path, spec }: RunView): readonly StageSpec[] {
    const known = this.stages.get(path);
    if (known !== undefined) return known;
    const stages = parseSpec(spec, path).spec?.stages ?? [];
    this.stages.set(path, stages);
    return stages;
  }
}

/** A score with its meaning, which the stage knows; null where the spec cannot be read. */
function bestOf(stage: StageSpec | undefined, score: number): ListedRun['best'] {
  if (stage === undefined) return null;
  const meaning = stageOf(stage).score(stage.settings);
  return { name: meaning.name, value: shownScore(meaning, score) };
}
