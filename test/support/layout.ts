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
