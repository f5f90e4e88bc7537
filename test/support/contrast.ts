/** Whether what a page says can be read: the contrast of its texts, as WCAG 2 reckons it. */
import type { Page } from 'playwright-core';

/** Of small text, at least (WCAG 2.2, 1.4.3). */
const least = 4.5;

/** Texts that are shown with too little contrast, each with its ratio; empty where all can be read. */
export function faintTexts(page: Page): Promise<string[]> {
  return page.evaluate((limit) => {
    type Colour = readonly [number, number, number, number];
    const context = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', {
      willReadFrequently: true,
    })!;
    // However a colour is written, the canvas knows what it is.
    const known = new Map<string, Colour>();
    const read = (css: string): Colour => {
      let colour = known.get(css);
      if (colour === undefined) {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = css;
        context.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
        colour = [r, g, b, a / 255];
        known.set(css, colour);
      }
      return colour;
    };
    const over = ([r, g, b, a]: Colour, [x, y, z]: Colour): Colour => [
      r * a + x * (1 - a),
      g * a + y * (1 - a),
      b * a + z * (1 - a),
      1,
    ];
    const luminance = ([r, g, b]: Colour) => {
      const [x, y, z] = [r, g, b].map((channel) => {
        const c = channel / 255;
        return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    // Of what lies under many texts it is reckoned once.
    const opacities = new Map<Element, number>();
    const opacity = (element: Element | null): number => {
      if (element === null) return 1;
      let product = opacities.get(element);
      if (product === undefined) {
        product = opacity(element.parentElement) * Number(getComputedStyle(element).opacity);
        opacities.set(element, product);
      }
      return product;
    };
    /** A control paints its ground inside itself. */
    const grounds = (element: Element): Element[] => {
      const inner = element.shadowRoot?.querySelector('.control, .root');
      return inner ? [element, inner] : [element];
    };
    const grounded = new Map<Element, Colour>();
    const ground = (element: Element | null): Colour => {
      if (element === null) return [255, 255, 255, 1];
      let colour = grounded.get(element);
      if (colour === undefined) {
        colour = grounds(element).reduce<Colour>(
          (below, layer) => over(read(getComputedStyle(layer).backgroundColor), below),
          ground(element.parentElement),
        );
        grounded.set(element, colour);
      }
      return colour;
    };
    const faint: string[] = [];
    const judge = (element: Element, colour: string, text: string) => {
      const below = ground(element);
      const [r, g, b, a] = read(colour);
      const lights = [luminance(over([r, g, b, a * opacity(element)], below)), luminance(below)].sort((x, y) => y - x);
      const ratio = (lights[0] + 0.05) / (lights[1] + 0.05);
      if (ratio < limit)
        faint.push(`${ratio.toFixed(2)} ${element.className || element.tagName}: ${text.slice(0, 40)}`);
    };
    for (const field of document.body.querySelectorAll('vscode-text-field, vscode-text-area')) {
      const control = field.shadowRoot?.querySelector<HTMLInputElement>('.control') ?? undefined;
      if (control?.value !== '' || !field.checkVisibility()) continue;
      judge(field, getComputedStyle(control, '::placeholder').color, control.placeholder);
    }
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node.parentElement;
      const text = node.textContent?.trim() ?? '';
      if (element === null || text === '' || !element.checkVisibility({ visibilityProperty: true })) continue;
      judge(element, getComputedStyle(grounds(element).at(-1)!).color, text);
    }
    return faint;
  }, least);
}

/** Of what is no text, at least (WCAG 2.2, 1.4.11). */
const leastOfLines = 3;

/** Keys of lines whose colour is hardly told from the ground, each with its ratio. */
export function faintKeys(page: Page): Promise<string[]> {
  return page.evaluate((limit) => {
    const context = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d')!;
    const ground = getComputedStyle(document.body).backgroundColor;
    const luminance = (css: string) => {
      context.fillStyle = ground;
      context.fillRect(0, 0, 1, 1);
      context.fillStyle = css;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((channel) => {
        const c = channel / 255;
        return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    return [...document.querySelectorAll<HTMLElement>('.key-line')].flatMap((key) => {
      key.style.color = 'var(--key, transparent)';
      const lights = [luminance(getComputedStyle(key).color), luminance(ground)].sort((x, y) => y - x);
      const ratio = (lights[0] + 0.05) / (lights[1] + 0.05);
      return ratio < limit ? [`${ratio.toFixed(2)} key of ${key.parentElement?.textContent}`] : [];
    });
  }, leastOfLines);
}
