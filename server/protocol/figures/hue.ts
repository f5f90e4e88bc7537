/**
 * The colour of a latent action: one of 64, fixed by its code, the same in chips, strips, heat maps and on edges. Even steps
 * of hue in OKLCH, where equal steps look equal; neighbours on the circle differ in lightness too, and neighbouring codes
 * lie far apart on it. Every colour has a contrast of at least 3 with white and with the dark ground of an editor.
 */

const count = 64;
/** Odd, so that every code gets a step of its own; near the golden section of 64, so that the first codes spread widely. */
const stride = 39;
const lightness = [0.56, 0.65] as const;
const mostChroma = 0.17;

export interface Hue {
  /** `#rrggbb`. */
  readonly colour: string;
  /** Text on it: black or white, whichever reads better. */
  readonly ink: string;
}

const hues: readonly Hue[] = Array.from({ length: count }, (_, code) => {
  const step = (code * stride) % count;
  const rgb = saturated(lightness[step % 2], (2 * Math.PI * step) / count);
  const light = luminance(rgb);
  const hex = rgb.map((channel) =>
    Math.round(255 * encoded(channel))
      .toString(16)
      .padStart(2, '0'),
  );
  const ink = (light + 0.05) / 0.05 > 1.05 / (light + 0.05) ? '#000000' : '#ffffff';
  return { colour: `#${hex.join('')}`, ink };
});

/** @param code of a latent action; those from 64 on begin anew */
export function hueOf(code: number): Hue {
  return hues[code % count];
}

/** The strongest colour of that lightness and hue that a screen can show, as linear RGB. */
function saturated(light: number, angle: number): number[] {
  for (let chroma = mostChroma; chroma > 0; chroma -= 0.002) {
    const rgb = linear(light, chroma * Math.cos(angle), chroma * Math.sin(angle));
    if (rgb.every((channel) => channel >= 0 && channel <= 1)) return rgb;
  }
  return linear(light, 0, 0);
}

/** OKLab to linear RGB (B. Ottosson, "A perceptual color space for image processing"). */
function linear(light: number, a: number, b: number): number[] {
  const l = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (light - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

function encoded(channel: number): number {
  return channel <= 0.0031308 ? 12.92 * channel : 1.055 * channel ** (1 / 2.4) - 0.055;
}

/** Relative luminance as WCAG has it. */
function luminance([r, g, b]: readonly number[]): number {
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
