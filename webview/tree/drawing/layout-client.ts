/** The worker that lays trees out, asked for one layout at a time: of those asked for meanwhile only the latest is done. */
import source from 'worker:./layout-worker.ts';
import type { Layout, LayoutInput } from './layout.ts';

interface Order {
  readonly input: LayoutInput;
  readonly done: (layout: Layout) => void;
}

export class LayoutClient {
  private readonly worker: Worker;
  private running: Order | undefined;
  private next: Order | undefined;

  constructor() {
    const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    this.worker = new Worker(url);
    URL.revokeObjectURL(url);
    this.worker.addEventListener('message', ({ data }: MessageEvent<Layout>) => {
      const { running, next } = this;
      this.running = undefined;
      this.next = undefined;
      if (next !== undefined) this.start(next);
      running?.done(data);
    });
  }

  layOut(input: LayoutInput, done: (layout: Layout) => void): void {
    if (this.running === undefined) this.start({ input, done });
    else this.next = { input, done };
  }

  close(): void {
    this.worker.terminate();
  }

  private start(order: Order): void {
    this.running = order;
    this.worker.postMessage(order.input);
  }
}
