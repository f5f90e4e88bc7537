/** Whether everything that a page has to say and to press fits its window. */
import type { Page } from 'playwright-core';

/**
 * What does not fit, each in words; empty where all does: what must be scrolled sideways, controls that reach out of the
 * window, whose words are cut off, or that lie over each other.
 */
export function misfits(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const name = (element: Element) =>
      `${element.tagName.toLowerCase()}.${element.className} ${(element.getAttribute('aria-label') ?? element.textContent ?? '').slice(0, 40)}`;
    const seen = (element: Element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    const root = document.scrollingElement ?? document.documentElement;
    const wide = (element: Element) => element.scrollWidth > element.clientWidth + 1;
    if (wide(root)) found.push(`the page is ${root.scrollWidth} px wide in ${root.clientWidth}`);
    for (const element of document.body.querySelectorAll('*')) {
      if (!seen(element) || !/auto|scroll/.test(getComputedStyle(element).overflowX)) continue;
      if (wide(element)) found.push(`scrolls sideways: ${name(element)}`);
    }
    const controls = [
      ...document.querySelectorAll('vscode-button, vscode-text-field, vscode-text-area, vscode-dropdown, button'),
    ].filter((each) => seen(each) && each.closest('.stage') === null);
    const boxes = controls.map((element) => ({ element, box: element.getBoundingClientRect() }));
    for (const [i, { element, box }] of boxes.entries()) {
      if (box.left < -1 || box.right > root.clientWidth + 1) found.push(`reaches out: ${name(element)}`);
      if (element.matches('button') && wide(element)) found.push(`cut off: ${name(element)}`);
      for (const other of boxes.slice(i + 1)) {
        if (element.contains(other.element)) continue;
        const across = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const down = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (across > 1 && down > 1 && element.parentElement === other.element.parentElement)
          found.push(`over each other: ${name(element)} and ${name(other.element)}`);
      }
    }
    return found;
  });
}

/** The same once what a window of another size changes is done: charts are drawn anew when the page has been laid out. */
export async function lastingMisfits(page: Page): Promise<string[]> {
  let found = await misfits(page);
  for (let look = 0; found.length > 0 && look < 20; look++) {
    await page.waitForTimeout(250);
    found = await misfits(page);
  }
  return found;
}

/**
 * Walks through a page with the Tab key. @returns what shows no ring or border in the colour of the focus when it is
 * reached, each in words
 */
export async function unmarkedFocus(page: Page, most = 40): Promise<string[]> {
  const found = new Set<string>();
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  for (let i = 0; i < most; i++) {
    await page.keyboard.press('Tab');
    const unmarked = await page.evaluate(() => {
      const host = document.activeElement;
      if (host === null || host === document.body) return null;
      const root = getComputedStyle(document.documentElement);
      const probe = Object.assign(document.createElement('i'), { hidden: true });
      probe.style.color = root.getPropertyValue('--vscode-focusBorder');
      document.body.append(probe);
      const mark = getComputedStyle(probe).color;
      probe.remove();
      const inside = [...(host.shadowRoot?.querySelectorAll('.root, .control') ?? [])];
      const marked = [host, ...inside].some((each) => {
        const { outlineStyle, outlineColor, outlineWidth, borderTopColor } = getComputedStyle(each);
        return (outlineStyle !== 'none' && outlineColor === mark && outlineWidth !== '0px') || borderTopColor === mark;
      });
      const name = host.getAttribute('aria-label') ?? host.textContent ?? '';
      return marked ? '' : `${host.tagName.toLowerCase()}.${host.className} ${name.slice(0, 40)}`;
    });
    if (unmarked === null) break;
    if (unmarked !== '') found.add(`the focus is not seen: ${unmarked}`);
  }
  return [...found];
}
