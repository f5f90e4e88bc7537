/** The tree explorer: what the engine tells, what the person does, and what is shown of both. */
import {
  type ResultOf,
  type SearchDescription,
  type TreeEvent,
  treeCopy,
  treeDraftNew,
  treeExport,
  treeExtend,
  treeFind,
  treeForce,
  treeGrowth,
  treeInsert,
  treeInspect,
  treeMark,
  treePause,
  type treeReady,
  treeScore,
  treeTune,
} from '../../server/protocol/index.ts';
import { h } from '../ui/elements.ts';
import { ask } from '../ui/host.ts';
import { NodeDetails } from './details.ts';
import type { Picture } from './drawing.ts';
import { fold, nextFold, type Shown } from './folding.ts';
import { type Inspection, Inspector } from './inspector.ts';
import { keyHelp } from './keys.ts';
import { LayoutClient } from './layout-client.ts';
import { bits, type Moment, TreeModel } from './model.ts';
import { directionOf, move } from './navigation.ts';
import { extents, gapAcross, Scene } from './scene.ts';
import { Stage } from './stage.ts';
import { drawingOf } from './svg.ts';
import { Timeline } from './timeline.ts';
import { Toolbar } from './toolbar.ts';
import type { ViewState } from './view-state.ts';
import { figure, valueRange } from './words.ts';

/** A screen reader hears of progress at most so often, the inspector asks while the search runs, in milliseconds. */
const spokenInterval = 5000;
const inspectInterval = 1000;

export class Explorer {
  readonly element: HTMLElement;
  private model: TreeModel;
  private readonly details = new NodeDetails(() => this.stage.redraw());
  private readonly layouts = new LayoutClient();
  private readonly stage: Stage;
  private readonly timeline: Timeline;
  private readonly inspector: Inspector;
  private toolbar: Toolbar;
  private readonly live = h('div', { class: 'spoken', 'aria-live': 'polite' });
  private help: HTMLElement | undefined;
  private event: TreeEvent | null;
  private moment: Moment;
  private shown: Shown = { node: [], parent: [], folded: [] };
  private picture: Picture | undefined;
  private readonly folds: Map<number, boolean>;
  private found: readonly number[] = [];
  private foundAt = 0;
  private searches = 0;
  private fetching = false;
  private again = false;
  /** Whether what was counted has changed, so that the tree is to be told from its beginning. */
  private outdated = false;
  private inspectedAt = 0;
  private inspections = 0;
  private spokenAt = 0;
  private placed: boolean;
  private closed = false;

  constructor(
    private readonly about: SearchDescription,
    { event, canTune }: ResultOf<typeof treeReady>,
    private view: ViewState,
    private readonly keep: (view: ViewState) => void,
    private readonly failed: (error: unknown) => void,
  ) {
    this.model = new TreeModel(about.gamma);
    this.moment = this.model.now();
    this.folds = new Map(view.folds);
    this.event = event;
    this.placed = view.viewport !== null;
    const label = (action: number) => about.labels[action] ?? null;
    const handlers = {
      label,
      select: (node: number) => this.select(node),
      toggle: (node: number) => this.toggle(node),
      moved: (viewport: NonNullable<ViewState['viewport']>) => this.change({ viewport }),
      prompt: () => about.prompt,
    };
    this.stage = new Stage(this.details, handlers, view.viewport ?? { x: -24, y: 0, scale: 1 });
    this.timeline = new Timeline((done) => this.scrub(done));
    this.inspector = new Inspector(
      {
        label,
        select: (node) => this.select(node, true),
        force: (action) => void this.force(action),
        ban: (action) => void this.banAction(action),
        mark: (mark) => void this.mark(mark),
        score: (score) => void this.score(score),
        insert: () => void this.insert(),
        copy: () => void this.attempt(async () => ask(treeCopy, { text: await this.text() })),
        tune: () => void this.attempt(() => ask(treeTune, { node: this.view.selected })),
      },
      canTune,
      about.reward,
    );
    this.toolbar = this.makeToolbar();
    const main = h(
      'main',
      { class: 'explorer-main' },
      this.stage.element,
      h('div', { class: 'explorer-foot' }, this.timeline.element, this.stage.minimap.element),
    );
    this.element = h(
      'div',
      { class: 'explorer' },
      this.toolbar.element,
      h('div', { class: 'explorer-body' }, main, this.inspector.element),
      this.live,
    );
    this.inspector.element.hidden = !view.inspector;
    // Of the document, not of the element: a button that is disabled while it has the focus leaves it to the body.
    document.addEventListener('keydown', this.pressed);
    this.toolbar.show(event, false);
    this.fetch();
  }

  /** Word of the search. */
  heard(event: TreeEvent): void {
    this.event = event;
    this.toolbar.show(event, false);
    if (event.end === 'failed')
      this.failed({ message: event.message ?? 'The search failed.', remedy: event.remedy ?? '' });
    if (event.end === 'exhausted')
      this.failed({
        message: 'Every branch has ended or is banned.',
        remedy: 'Release a branch, or force an action that was not tried.',
      });
    this.speak(event);
    this.fetch();
  }

  close(): void {
    this.closed = true;
    document.removeEventListener('keydown', this.pressed);
    this.layouts.close();
  }

  private makeToolbar(): Toolbar {
    return new Toolbar(this.about, this.view.least, this.view.orientation, {
      extend: (simulations) => void this.extend(simulations),
      pause: () => void this.attempt(() => ask(treePause, {})),
      begin: () => void this.attempt(() => ask(treeDraftNew, {})),
      find: (text) => void this.find(text),
      findNext: () => this.showFound(this.foundAt + 1),
      leave: () => this.stage.element.focus(),
      least: (least) => {
        this.change({ least });
        this.refresh();
      },
      turn: () => this.turn(),
      fit: () => this.stage.fit(),
      zoom: (factor) => this.stage.zoom(factor),
      save: (format) => void this.save(format),
      inspector: () => {
        this.change({ inspector: !this.view.inspector });
        this.inspector.element.hidden = !this.view.inspector;
      },
      help: () => this.toggleHelp(),
    });
  }

  private change(part: Partial<ViewState>): void {
    this.view = { ...this.view, ...part };
    this.keep(this.view);
  }

  /** Does what the person asked for, and says what went wrong. */
  private async attempt(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.failed(error);
    }
  }

  /** Asks for what is new, until there is nothing new. */
  private fetch(): void {
    if (this.fetching) {
      this.again = true;
      return;
    }
    this.fetching = true;
    void this.attempt(async () => {
      do {
        this.again = false;
        await this.grow();
      } while (this.again && !this.closed);
    }).finally(() => {
      this.fetching = false;
    });
  }

  private async grow(): Promise<void> {
    const renewed = this.outdated;
    this.outdated = false;
    const model = renewed ? new TreeModel(this.about.gamma) : this.model;
    for (;;) {
      const told = await ask(treeGrowth, { nodes: model.count, simulations: model.simulations }).catch((error) => {
        // What was to be told anew is still to be told.
        this.outdated ||= renewed;
        throw error;
      });
      if (this.outdated || this.closed) {
        this.again = true;
        return;
      }
      const latest = told.simulated.node.at(-1);
      model.append(told);
      const complete = model.count >= told.count && model.simulations >= told.simulations;
      // What is shown stays until all of the new is there: in between there would be nodes that are known no more.
      if (renewed && !complete) continue;
      if (renewed) {
        this.model = model;
        this.details.expireAll();
      } else this.details.expire(told.simulated.node);
      this.refresh();
      if (latest !== undefined && this.event?.end === null) this.stage.pulse(latest);
      if (complete) break;
    }
    this.inspectNow(false);
  }

  /** Everything anew, after a person changed what was counted. */
  private reload(): void {
    this.outdated = true;
    this.fetch();
  }

  /** Works out what is shown, and has it laid out. */
  private refresh(): void {
    const { model, view } = this;
    this.moment = view.done === null || view.done >= model.simulations ? model.now() : model.asItWas(view.done);
    const { moment } = this;
    if (moment.count === 0) return;
    let selected = Math.min(view.selected, model.count - 1);
    while (selected >= moment.count) selected = model.parent[selected];
    const principal = new Set(model.principalVariation(moment));
    const found = new Set(this.found.filter((id) => id < moment.count));
    const kept = new Set([selected, ...principal, ...found]);
    const shown = fold(model, moment, { least: view.least, chosen: this.folds, kept });
    this.shown = shown;
    const tokens = (node: number) => model.length[node];
    const extent = extents(shown, tokens, view.orientation);
    this.layouts.layOut(
      { parent: Int32Array.from(shown.parent), extent, gap: gapAcross(view.orientation) },
      (layout) => {
        const scene = new Scene(shown, layout, tokens, view.orientation);
        this.picture = { model, moment, scene, principal, found, selected, range: valueRange(model) };
        this.stage.show(this.picture);
        if (this.placed) return;
        this.placed = true;
        this.stage.begin();
      },
    );
    this.timeline.show(model, view.done);
    // A search that was opened from its file has said nothing yet.
    if (this.event === null) this.toolbar.count(model.simulations, model.count);
    this.inspector.show(model, moment, selected);
  }

  private select(node: number, reveal = false): void {
    this.change({ selected: node });
    if (reveal) this.stage.reveal(node);
    this.refresh();
    this.inspectNow(true);
  }

  /** Asks what the engine knows of the selected node: at once when it was just selected, now and then while it changes. */
  private inspectNow(changed: boolean): void {
    const now = performance.now();
    if (!changed && now - this.inspectedAt < inspectInterval && this.event?.end === null) return;
    this.inspectedAt = now;
    const order = ++this.inspections;
    const node = this.view.selected;
    ask(treeInspect, { node }).then(
      (inspection: Inspection) => {
        if (order === this.inspections && node < this.model.count) this.inspector.inspected(inspection, this.model);
      },
      (error: unknown) => {
        if (changed) this.failed(error);
      },
    );
  }

  private toggle(node: number): void {
    const open = nextFold(this.model, this.moment, this.shown, node);
    if (open === undefined) return;
    this.folds.set(node, open);
    this.change({ folds: [...this.folds] });
    this.refresh();
  }

  private scrub(done: number | null): void {
    this.change({ done });
    this.refresh();
  }

  private turn(): void {
    this.change({ orientation: this.view.orientation === 'right' ? 'down' : 'right' });
    const before = this.toolbar.element;
    this.toolbar = this.makeToolbar();
    this.toolbar.show(this.event, false);
    before.replaceWith(this.toolbar.element);
    this.placed = false;
    this.refresh();
  }

  private async extend(simulations: number): Promise<void> {
    this.toolbar.show(this.event, true);
    if (this.view.done !== null) this.scrub(null);
    try {
      await ask(treeExtend, { simulations });
    } catch (error) {
      this.toolbar.show(this.event, false);
      this.failed(error);
    }
  }

  private async force(action: number): Promise<void> {
    await this.attempt(async () => {
      const { node } = await ask(treeForce, { node: this.view.selected, action });
      this.change({ selected: node });
      this.stage.reveal(node);
      this.reload();
      this.inspectNow(true);
    });
  }

  /** What was not tried has no node yet; it gets one, to be banned. */
  private async banAction(action: number): Promise<void> {
    const { selected } = this.view;
    await this.attempt(async () => {
      const { node } = await ask(treeForce, { node: selected, action });
      await ask(treeMark, { node, mark: 'ban' });
      this.reload();
      this.inspectNow(true);
    });
  }

  private async mark(mark: 'force' | 'ban' | 'release'): Promise<void> {
    const { selected } = this.view;
    if (selected === 0) return;
    await this.attempt(async () => {
      await ask(treeMark, { node: selected, mark });
      this.reload();
    });
  }

  private async score(score: number | null): Promise<void> {
    await this.attempt(async () => {
      await ask(treeScore, { node: this.view.selected, score });
      this.reload();
    });
  }

  /** Text from the prompt to the selected node. */
  private async text(): Promise<string> {
    const { path } = await ask(treeInspect, { node: this.view.selected });
    return path.map(({ text }) => text).join('');
  }

  private async insert(): Promise<void> {
    if (this.view.selected === 0) return;
    await this.attempt(async () => ask(treeInsert, { text: await this.text() }));
  }

  private async find(text: string): Promise<void> {
    const order = ++this.searches;
    if (text === '') {
      this.found = [];
      this.toolbar.showMatches(0, undefined);
      this.refresh();
      return;
    }
    await this.attempt(async () => {
      const { nodes } = await ask(treeFind, { text });
      if (order !== this.searches) return;
      this.found = nodes;
      if (nodes.length > 0) this.showFound(0);
      else {
        this.toolbar.showMatches(0, 0);
        this.refresh();
      }
    });
  }

  private showFound(at: number): void {
    const { length } = this.found;
    if (length === 0) return;
    this.foundAt = at % length;
    this.toolbar.showMatches(this.foundAt, length);
    this.select(this.found[this.foundAt], true);
  }

  private async save(format: 'json' | 'html' | 'svg'): Promise<void> {
    const { picture } = this;
    await this.attempt(async () => {
      if (format !== 'svg') await ask(treeExport, { format });
      else if (picture !== undefined) {
        const cards = picture.scene.shown.node.filter((_, place) => picture.scene.shown.folded[place] === 0);
        await this.details.load(cards);
        await ask(treeExport, { format, text: drawingOf(picture, this.details, this.about.prompt) });
      }
    });
  }

  private toggleHelp(): void {
    if (this.help !== undefined) {
      this.help.remove();
      this.help = undefined;
      this.stage.element.focus();
      return;
    }
    this.help = keyHelp(this.view.orientation === 'down');
    this.element.append(this.help);
    this.help.focus();
  }

  private speak({ simulations, best, end }: TreeEvent): void {
    const now = performance.now();
    if (end === null && now - this.spokenAt < spokenInterval) return;
    this.spokenAt = now;
    const reward = best === null ? '' : `, best reward ${figure(best.value)}`;
    this.live.textContent = `${simulations} simulations${reward}${end === null ? '' : ', the search stands still'}`;
  }

  private readonly pressed = (event: KeyboardEvent): void => {
    const target = event.target as HTMLElement;
    if (this.model.count === 0 || event.ctrlKey || event.metaKey || event.isComposing) return;
    const typing = target.closest('vscode-text-field, vscode-text-area, input, textarea, vscode-dropdown') !== null;
    const inTree = target.closest('.stage') !== null;
    const direction = event.altKey || inTree ? directionOf(event.key, this.view.orientation) : undefined;
    if (direction !== undefined && !typing) {
      event.preventDefault();
      this.go(move(this.model, this.moment, this.shown, this.currentNode(), direction));
      return;
    }
    if (typing || event.altKey) return;
    const act = this.keys(inTree)[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  };

  private keys(inTree: boolean): Readonly<Record<string, (() => void) | undefined>> {
    const toggle = (bit: number, mark: 'force' | 'ban') =>
      void this.mark(this.model.has(this.view.selected, bit) ? 'release' : mark);
    return {
      f: () => toggle(bits.forced, 'force'),
      b: () => toggle(bits.banned, 'ban'),
      s: () => {
        if (!this.view.inspector) this.change({ inspector: true });
        this.inspector.element.hidden = false;
        this.inspector.focusScore();
      },
      i: () => void this.insert(),
      '/': () => this.toolbar.focusSearch(),
      '?': () => this.toggleHelp(),
      '+': () => this.stage.zoom(1.25),
      '-': () => this.stage.zoom(0.8),
      '0': () => this.stage.fit(),
      Enter: inTree ? () => this.toggle(this.currentNode()) : undefined,
      Home: inTree ? () => this.go(0) : undefined,
      Escape: () => {
        if (this.help !== undefined) this.toggleHelp();
        else if (this.view.done !== null) this.scrub(null);
        else this.stage.element.focus();
      },
    };
  }

  /** The selected node, or what stands for it while the tree is shown as it was. */
  private currentNode(): number {
    return this.picture?.selected ?? this.view.selected;
  }

  private go(node: number): void {
    this.select(node, true);
    this.stage.element.focus();
  }
}
