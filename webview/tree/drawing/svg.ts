/** The shown tree as a drawing that stands alone: light ground, no styles from outside. */
import { hueOf } from '../../../server/protocol/figures/hue.ts';
import { s } from '../../ui/elements.ts';
import type { NodeDetails } from '../details.ts';
import { ending, figures, share, states } from '../words.ts';
import { edgeWidth, type Picture } from './drawing.ts';

const margin = 24;
const [ink, soft, ground] = ['#1f2328', '#59636e', '#ffffff'];

export function drawingOf(
  { scene, model, moment, principal, range }: Picture,
  details: NodeDetails,
  prompt: string,
  named: boolean,
): string {
  const { x, y, width, height } = scene.bounds;
  const box = [x - margin, y - margin, width + 2 * margin, height + 2 * margin];
  const root = s('svg', { xmlns: 'http://www.w3.org/2000/svg', viewBox: box.join(' '), width: box[2], height: box[3] });
  root.append(s('rect', { x: box[0], y: box[1], width: box[2], height: box[3], fill: ground }));
  const words = (at: readonly [number, number], text: string, attributes: Record<string, string | number>) =>
    s(
      'text',
      {
        x: at[0],
        y: at[1],
        fill: ink,
        'font-family': 'monospace',
        'font-size': 12,
        'xml:space': 'preserve',
        ...attributes,
      },
      text,
    );
  for (let place = 1; place < scene.count; place++) {
    const stub = scene.shown.folded[place] > 0;
    const node = scene.firstOf(place);
    const { from, to } = scene.edge(place);
    const right = scene.orientation === 'right';
    const middle = right ? (from[0] + to[0]) / 2 : (from[1] + to[1]) / 2;
    const bends = right ? `${middle} ${from[1]} ${middle} ${to[1]}` : `${from[0]} ${middle} ${to[0]} ${middle}`;
    const stroke = stub ? soft : hueOf(model.action[node]).colour;
    const thick = stub ? 1 : edgeWidth(moment.visits[node], moment.visits[0]);
    root.append(
      s('path', {
        d: `M${from.join(' ')}C${bends} ${to.join(' ')}`,
        fill: 'none',
        stroke,
        'stroke-width': thick.toFixed(1),
      }),
    );
  }
  for (let place = 0; place < scene.count; place++) {
    const rect = scene.rect(place);
    const node = scene.shown.node[place];
    const folded = scene.shown.folded[place];
    const line = principal.has(scene.firstOf(place)) && folded === 0 ? 2.5 : 1;
    root.append(
      s('rect', {
        x: rect.x,
        y: rect.y,
        width: rect.width,
        height: rect.height,
        rx: 4,
        fill: ground,
        stroke: line > 1 ? ink : soft,
        'stroke-width': line,
      }),
    );
    if (folded > 0) {
      root.append(words([rect.x + 8, rect.y + 15], `+${folded}`, { fill: soft }));
      continue;
    }
    const chain = scene.shown.chain[place];
    const text = node === 0 ? prompt : details.textOf(chain);
    root.append(words([rect.x + 8, rect.y + 18], ending(text, 26), {}));
    if (node > 0 && named) {
      const { colour, ink: number } = hueOf(model.action[chain[0]]);
      root.append(s('rect', { x: rect.x + 8, y: rect.y + 26, width: 24, height: 14, rx: 3, fill: colour }));
      root.append(
        words([rect.x + 20, rect.y + 37], String(model.action[chain[0]]), {
          fill: number,
          'font-size': 10,
          'text-anchor': 'middle',
        }),
      );
    }
    const figure = [
      figures(moment.visits[node], moment.q[node], details.get(node)?.value),
      ...states(model, node),
    ].join('  ');
    root.append(words([rect.x + 8, rect.y + rect.height - 12], figure, { 'font-size': 11 }));
    const bar = share(moment.q[node], range) * (rect.width - 2);
    if (bar > 0)
      root.append(s('rect', { x: rect.x + 1, y: rect.y + rect.height - 4, width: bar, height: 3, fill: soft }));
  }
  return new XMLSerializer().serializeToString(root);
}
