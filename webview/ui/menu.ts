/** A button with a panel for what is rarely needed. Escape and a press elsewhere close it. */
import { button } from './controls.ts';
import { type Child, h, icon } from './elements.ts';

export interface Menu {
  readonly button: HTMLElement;
  /** Belongs beside the button in the document; it is shown above everything. */
  readonly panel: HTMLElement;
  close(): void;
}

/** @param content made of {@link menuItem} and of whatever else fits a narrow column */
export function menu(label: string, content: readonly Child[]): Menu {
  const panel = h('div', { class: 'menu', popover: 'auto', role: 'group', 'aria-label': label }, ...content);
  let wasOpen = false;
  const opener = button({
    label,
    icon: 'ellipsis',
    kind: 'icon',
    onPress: () => {
      // The press that opens it again has just closed it.
      if (!wasOpen) panel.showPopover();
      wasOpen = false;
    },
  });
  opener.setAttribute('aria-haspopup', 'true');
  opener.setAttribute('aria-expanded', 'false');
  opener.addEventListener('pointerdown', () => {
    wasOpen = panel.matches(':popover-open');
  });
  panel.addEventListener('toggle', (event) => {
    const open = (event as ToggleEvent).newState === 'open';
    opener.setAttribute('aria-expanded', String(open));
    if (!open) return;
    const { right, bottom } = opener.getBoundingClientRect();
    panel.style.top = `${bottom + 4}px`;
    panel.style.right = `${Math.max(4, document.documentElement.clientWidth - right)}px`;
    panel.querySelector<HTMLElement>('button')?.focus();
  });
  panel.addEventListener('keydown', (event) => {
    const items = [...panel.querySelectorAll<HTMLElement>('button')];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    // Keys of the page mean nothing in here; Escape is the browser's.
    event.stopPropagation();
    if (next === undefined || at < 0) return;
    event.preventDefault();
    items[(next + items.length) % items.length].focus();
  });
  return { button: opener, panel, close: () => panel.hidePopover() };
}

/** One thing that a menu does. */
export function menuItem(label: string, name: string, onPress: () => void): HTMLElement {
  return h('button', { type: 'button', class: 'menu-item', on: { click: onPress } }, icon(name), label);
}
