/** Lays trees out beside the page, so that it stays fluid. */
import { type LayoutInput, layOut } from './layout.ts';

self.addEventListener('message', ({ data }: MessageEvent<LayoutInput>) => {
  const layout = layOut(data);
  self.postMessage(layout, { transfer: [layout.across.buffer, layout.depth.buffer] });
});
