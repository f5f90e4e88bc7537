import assert from 'node:assert/strict';
import { hueOf } from '../../server/protocol/figures/hue.ts';

const channels = (hex: string) => {
  const rgb = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255);
  return rgb.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
};
const luminance = (hex: string) => {
  const [r, g, b] = channels(hex);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a: string, b: string) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};
/** CIE L*a*b*, a space other than the one the colours are made in. */
const lab = (hex: string) => {
  const [r, g, b] = channels(hex);
  const xyz = [
    (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
    0.2126 * r + 0.7152 * g + 0.0722 * b,
    (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
  ];
  const [x, y, z] = xyz.map((t) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
};
const distance = (a: string, b: string) => Math.hypot(...lab(a).map((value, i) => value - lab(b)[i]));

describe('hues of latent actions', () => {
  const codes = Array.from({ length: 64 }, (_, code) => code);

  it('can be seen on light and dark ground, and read with their ink', () => {
    for (const code of codes) {
      const { colour, ink } = hueOf(code);
      for (const ground of ['#ffffff', '#1f1f1f']) assert.ok(contrast(colour, ground) >= 3, `${code} on ${ground}`);
      assert.ok(contrast(colour, ink) >= 4.5, `the number of ${code}`);
    }
  });

  it('differ visibly, most of all between neighbouring codes', () => {
    for (const a of codes) {
      for (const b of codes.slice(a + 1)) assert.ok(distance(hueOf(a).colour, hueOf(b).colour) > 2.3, `${a} and ${b}`);
      if (a > 0) assert.ok(distance(hueOf(a - 1).colour, hueOf(a).colour) > 40, `${a - 1} and ${a}`);
    }
  });

  it('begin anew after 64', () => assert.deepEqual(hueOf(64 + 17), hueOf(17)));
});
