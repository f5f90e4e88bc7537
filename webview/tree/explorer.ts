/** The tree explorer: what the engine tells, what the person does, and what is shown of both. */

import {
  type ResultOf,
  type SearchDescription,
  type TreeEvent,
  treeInspect,
  type treeReady,
} from '../../server/protocol/index.ts';
import { nodeFlags } from '../../server/protocol/search.ts';
import { h } from '../ui/elements.ts';
import { ask } from '../ui/host.ts';
import { Announcer } from './announcer.ts';
import { NodeDetails } from './details.ts';
import type { Picture } from './drawing/drawing.ts';
import { LayoutClient } from './drawing/layout-client.ts';
import { layoutInput, Scene } from './drawing/scene.ts';
import { Stage } from './drawing/stage.ts';
import { drawingOf } from './drawing/svg.ts';
import { fold, nextApart, nextFold, nothingShown, type Shown } from './folding.ts';
import { GrowthFeed } from './growth-feed.ts';
import { type Inspection, Inspector } from './inspector.ts';
import { Keyboard } from './keyboard.ts';
import { keyHelp } from './keys.ts';
import { Matches } from './matches.ts';
import type { Moment, TreeModel } from './model.ts';
import { move } from './navigation.ts';
import { Skeleton } from './skeleton.ts';
import { Steering } from './steering.ts';
import { Timeline } from './timeline.ts';
import { Toolbar } from './toolbar.ts';
import type { ViewState } from './view-state.ts';
import { valueRange } from './words.ts';

/** How often the inspector asks while the search runs, in milliseconds. */
const inspectInterval = 1000;

export class Explorer {
  readonly element: HTMLElement;
  private readonly feed: GrowthFeed;
  private readonly steering: Steering;
  private readonly matches: Matches;
  private readonly keyboard: Keyboard;
  private readonly details: NodeDetails;
  private readonly layouts = new LayoutClient();
  private readonly stage: Stage;
  private readonly timeline: Timeline;
  private readonly inspector: Inspector;
  private toolbar: Toolbar;
  private readonly announcer = new Announcer();
  private help: HTMLElement | undefined;
  /** In place of the tree until its first cards are there. */
  private readonly skeleton = new Skeleton('Reading the tree…');
  private event: TreeEvent | null;
  private moment: Moment;
  private shown: Shown = nothingShown;
  private picture: Picture | undefined;
  private readonly folds: Map<number, boolean>;
  private inspectedAt = 0;
  private inspections = 0;
  private placed: boolean;

  constructor(
    private readonly about: SearchDescription,
    { event, canTune }: ResultOf<typeof treeReady>,
    private view: ViewState,
    private readonly keep: (view: ViewState) => void,
    private readonly failed: (error: unknown) => void,
  ) {
    this.details = new NodeDetails(() => this.stage.redraw(), about.world === null ? '' : '\n');
    this.feed = new GrowthFeed(about.gamma, {
      grew: (simulated, anew) => this.grew(simulated, anew),
      complete: () => this.inspectNow(false),
      failed,
    });
    this.steering = new Steering({
      selected: () => this.view.selected,
      made: (node) => {
        this.change({ selected: node });
        this.stage.reveal(node);
        this.inspectNow(true);
      },
      changed: () => this.feed.reload(),
      failed,
    });
    this.matches = new Matches({
      none: () => this.refresh(),
      at: (node) => this.select(node, true),
      count: (at, count) => this.toolbar.showMatches(at, count),
      failed,
    });
    this.moment = this.model.now();
    this.folds = new Map(view.folds);
    this.event = event;
    this.placed = view.viewport !== null;
    const label = (action: number) => about.labels[action] ?? null;
    const turns = about.world !== null;
    const named = about.labels.length > 0;
    const handlers = {
      label,
      named,
      select: (node: number) => this.select(node),
      toggle: (node: number) => this.toggle(node),
      apart: (node: number) => this.apart(node),
      moved: (viewport: NonNullable<ViewState['viewport']>) => this.change({ viewport }),
      prompt: () => about.prompt,
    };
    this.stage = new Stage(this.details, handlers, view.viewport ?? { x: -24, y: 0, scale: 1 });
    const { steering } = this;
    this.timeline = new Timeline((done) => this.scrub(done));
    this.inspector = new Inspector(
      {
        label,
        wrote: (node) => this.details.get(node)?.text,
        select: (node) => this.select(node, true),
        force: (action) => steering.force(action),
        ban: (action) => steering.banAction(action),
        banNode: (node) => steering.banNode(node),
        mark: (mark) => steering.mark(mark),
        score: (score) => steering.score(score),
        insert: () => steering.insert(),
        copy: () => steering.copy(),
        read: () => steering.read(),
        tune: () => steering.tune(),
      },
      { reward: about.reward, canTune, turns, named },
    );
    this.toolbar = this.makeToolbar();
    const main = h(
      'main',
      { class: 'explorer-main' },
      this.stage.element,
      this.skeleton.element,
      h('div', { class: 'explorer-foot' }, this.timeline.element, this.stage.minimap.element),
    );
    this.element = h(
      'div',
      { class: 'explorer' },
      this.toolbar.element,
      h('div', { class: 'explorer-body' }, main, this.inspector.element),
      this.announcer.element,
    );
    this.inspector.element.hidden = !view.inspector;
    this.keyboard = this.makeKeyboard();
    this.toolbar.show(event, false);
    this.feed.fetch();
  }

  /** Word of the search. */
  heard(event: TreeEvent): void {
    this.event = event;
    this.skeleton.say(event.simulations === 0 ? 'Reading the prompt…' : 'Searching…');
    this.toolbar.show(event, false);
    if (event.end === 'failed')
      this.failed({ message: event.message ?? 'The search failed.', remedy: event.remedy ?? '' });
    if (event.end === 'exhausted')
      this.failed({
        message: 'Every branch has ended or is banned.',
        remedy:
          this.about.world === null ? 'Release a branch, or force an action that was not tried.' : 'Release a branch.',
      });
    this.announcer.speak(event);
    this.feed.fetch();
  }

  close(): void {
    this.feed.close();
    this.keyboard.close();
    this.layouts.close();
  }

  private get model(): TreeModel {
    return this.feed.model;
  }

  private makeToolbar(): Toolbar {
    const { steering, matches } = this;
    return new Toolbar(this.about, this.view.least, this.view.orientation, {
      extend: (simulations) => void this.extend(simulations),
      pause: () => steering.pause(),
      begin: () => steering.begin(),
      find: (text) => void matches.find(text),
      findNext: () => matches.next(),
      leave: () => this.stage.element.focus(),
      least: (least) => {
        this.change({ least });
        this.refresh();
      },
      turn: () => this.turn(),
      fit: () => this.stage.fit(),
      zoom: (factor) => this.stage.zoom(factor),
      save: (format) => (format === 'svg' ? this.saveDrawing() : steering.save(format)),
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

  private grew(simulated: readonly number[], anew: boolean): void {
    if (anew) this.details.expireAll();
    else this.details.expire(simulated);
    this.refresh();
    const latest = simulated.at(-1);
    if (latest !== undefined && this.event?.end === null) this.stage.pulse(latest);
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
    const found = new Set(this.matches.nodes.filter((id) => id < moment.count));
    const own = new Set([selected, ...found]);
    const apart = new Set(view.apart);
    const shown = fold(model, moment, { least: view.least, chosen: this.folds, kept: principal, own, apart });
    this.shown = shown;
    this.layouts.layOut(layoutInput(model, moment, shown, view.orientation), (layout) => {
      const scene = new Scene(shown, layout, model, view.orientation);
      this.picture = { model, moment, scene, principal, found, selected, range: valueRange(model) };
      this.stage.show(this.picture);
      this.skeleton.element.remove();
      if (this.placed) return;
      this.placed = true;
      this.stage.begin();
    });
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

  private apart(node: number): void {
    const apart = nextApart(this.model, this.moment, this.shown, node, new Set(this.view.apart));
    if (apart === undefined) return;
    this.change({ apart: [...apart] });
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
    if (!(await this.steering.extend(simulations))) this.toolbar.show(this.event, false);
  }

  /** The tree as it is shown, with the texts of all its cards. */
  private saveDrawing(): void {
    const { picture } = this;
    if (picture === undefined) return;
    const { node, folded } = picture.scene.shown;
    this.steering.saveDrawing(async () => {
      await this.details.load(node.filter((_, place) => folded[place] === 0));
      return drawingOf(picture, this.details, this.about.prompt, this.about.labels.length > 0);
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

  private makeKeyboard(): Keyboard {
    const { steering, stage } = this;
    return new Keyboard({
      ready: () => this.model.count > 0,
      orientation: () => this.view.orientation,
      walk: (direction) => this.go(move(this.model, this.moment, this.shown, this.currentNode(), direction)),
      home: () => this.go(0),
      toggle: () => this.toggle(this.currentNode()),
      apart: () => this.apart(this.currentNode()),
      mark: (mark) => {
        const bit = mark === 'force' ? nodeFlags.forced : nodeFlags.banned;
        steering.mark(this.model.has(this.view.selected, bit) ? 'release' : mark);
      },
      score: () => {
        if (!this.view.inspector) this.change({ inspector: true });
        this.inspector.element.hidden = false;
        this.inspector.focusScore();
      },
      insert: () => {
        if (this.about.world === null) steering.insert();
      },
      read: () => steering.read(),
      search: () => this.toolbar.focusSearch(),
      help: () => this.toggleHelp(),
      zoom: (factor) => stage.zoom(factor),
      fit: () => stage.fit(),
      back: () => {
        if (this.help !== undefined) this.toggleHelp();
        else if (this.view.done !== null) this.scrub(null);
        else stage.element.focus();
      },
    });
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
