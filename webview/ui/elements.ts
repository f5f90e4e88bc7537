/** Elements of the document, built in one expression. Text is always text: nothing here reads HTML. */

export type Child = Node | string | number | false | null | undefined;

type Attribute = string | number | boolean | undefined;
type Listeners = { readonly [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };

/** Attributes by name, true for one without a value; `on` are listeners, `style` is CSS properties, custom ones too. */
export interface Props {
  readonly [attribute: string]: Attribute | Listeners | Readonly<Record<string, string | number>>;
  readonly on?: Listeners;
  readonly style?: Readonly<Record<string, string | number>>;
}

/** An HTML element. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return dressed(document.createElement(tag), props, children);
}

/** An SVG element. */
export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return dressed(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children);
}

/** A custom element, such as the controls are. */
export function custom(tag: string, props: Props = {}, ...children: readonly Child[]): HTMLElement {
  return dressed(document.createElement(tag), props, children);
}

/** Puts the children in the place of those that are there. */
export function fill(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren(...nodes(children));
}

/** A codicon by name; it says nothing to a screen reader, so it needs words beside it. */
export function icon(name: string): HTMLElement {
  return h('i', { class: `codicon codicon-${name}`, 'aria-hidden': 'true' });
}

function dressed<E extends HTMLElement | SVGElement>(element: E, props: Props, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false || name === 'on' || name === 'style') continue;
    element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const [name, value] of Object.entries(props.style ?? {})) element.style.setProperty(name, String(value));
  for (const [name, listener] of Object.entries(props.on ?? {})) {
    element.addEventListener(name, listener as EventListener);
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children: readonly Child[]): (Node | string)[] {
  return children
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}
