/** Which model completes: the one that somebody chose, and until then that of the settings. The engine loads it. */
import { ColaError } from '../../errors.ts';
import type { Answering } from '../../protocol/channel/answers.ts';
import type { AskOptions } from '../../protocol/channel/channel.ts';
import type { ParamsOf, ReceivedOf, RequestType, ResultOf } from '../../protocol/channel/request.ts';
import type { ServerOptions } from '../../protocol/initialize.ts';
import { currentModel, loadModel, type ModelInfo, unloadModel } from '../../protocol/model.ts';
import { resolveModel } from '../../spec/paths.ts';
import { serverErrors } from '../errors.ts';

export type ModelChoice = ReceivedOf<typeof loadModel>;

type Settings = Omit<ServerOptions, 'engine'>;

/** The model in the box. */
const box = 'builtin:nano';

export interface ModelServices {
  readonly answering: Answering;
  /** Asks the engine. */
  readonly ask: <T extends RequestType>(type: T, params: ParamsOf<T>, options?: AskOptions<T>) => Promise<ResultOf<T>>;
  /** What the engine has loaded. */
  readonly loaded: () => ModelChoice | undefined;
  readonly settings: () => Settings;
  /** Told whenever what is loading, or was refused, is another. */
  readonly onChange: () => void;
}

export class ModelDesk {
  /** The model that was loaded last. */
  private info: ModelInfo | null = null;
  /** Loading a model, and which. */
  private loading: { readonly folder: string; readonly done: Promise<ModelInfo> } | undefined;
  /** Why the model of the settings could not be loaded: not tried again before something has changed. */
  private refused: ColaError | undefined;

  constructor(private readonly services: ModelServices) {
    const { answering, ask } = services;
    answering.answer(loadModel, (params, signal) => this.load(params, signal));
    answering.answer(currentModel, async () => ({ model: this.info }));
    answering.answer(unloadModel, async (params, signal) => {
      this.info = null;
      return ask(unloadModel, params, { signal });
    });
  }

  /** The folder of the model that is being loaded. */
  get loadingFolder(): string | undefined {
    return this.loading?.folder;
  }

  get refusal(): ColaError | undefined {
    return this.refused;
  }

  /** Something has changed: what was refused may be tried again. */
  forgive(): void {
    this.refused = undefined;
  }

  /** Loads what the settings ask for now, where that is something else than before. */
  async follow(now: Settings, before: Settings): Promise<void> {
    const { settings, loaded } = this.services;
    // Once the folder is trusted, the model of the settings takes the place of the one in the box.
    if (chosen(now).folder !== chosen(before).folder) {
      if (now.model !== before.model || loaded() !== undefined) await this.load(chosen(now));
      return;
    }
    // One that is on its way may have been asked for with the settings of before.
    while (this.loading !== undefined) await this.loading.done.catch(() => undefined);
    const there = loaded();
    const { device, threads, precision } = settings();
    if (there === undefined) return;
    if (there.device === device && there.threads === threads && there.precision === precision) return;
    await this.load({ folder: there.folder, device, threads, precision });
  }

  /** Until somebody chooses one, the model of the settings. */
  async need(): Promise<void> {
    for (;;) {
      // While one waits, settings may ask for yet another.
      while (this.loading !== undefined) await this.loading.done;
      if (this.services.loaded() !== undefined) return;
      if (this.refused !== undefined) throw this.refused;
      await this.load(chosen(this.services.settings()));
    }
  }

  private async load(choice: ModelChoice, signal?: AbortSignal): Promise<ModelInfo> {
    const { ask, settings, onChange } = this.services;
    const wanted = { ...choice, folder: resolveModel(choice.folder, '') };
    // A model is read by what computes: its tokenizer's expressions and its template are a stranger's programs.
    if (!settings().trusted && wanted.folder !== resolveModel(box, '')) {
      throw serverErrors.untrusted('A model other than the one in the box');
    }
    const done = ask(loadModel, wanted, { signal });
    const loading = { folder: choice.folder, done };
    this.loading = loading;
    this.refused = undefined;
    onChange();
    return done
      .then(
        (info) => {
          this.info = info;
          return info;
        },
        (error: unknown) => {
          if (error instanceof ColaError && !/^(protocol|engine)\./.test(error.id)) this.refused = error;
          throw error;
        },
      )
      .finally(() => {
        if (this.loading === loading) this.loading = undefined;
        onChange();
      });
  }
}

/** The model that completes until somebody chooses another: that of the settings, in a folder that is trusted. */
function chosen({ trusted, model, device, threads, precision }: Settings): ModelChoice {
  return { folder: trusted ? model : box, device, threads, precision };
}
