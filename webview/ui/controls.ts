/**
 * Controls that look and behave as the editor's own. The only file that knows the toolkit they come from, which its makers
 * no longer maintain: another one is put in its place here.
 */
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeTextArea,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';
import { type Child, custom, h, icon } from './elements.ts';

provideVSCodeDesignSystem().register(
  vsCodeButton(),
  vsCodeDropdown(),
  vsCodeOption(),
  vsCodeTextArea(),
  vsCodeTextField(),
);

interface WithValue extends HTMLElement {
  value: string;
}
interface CanBeOff extends HTMLElement {
  disabled: boolean;
}

export interface ButtonOptions {
  readonly label: string;
  /** Codicon. */
  readonly icon?: string | undefined;
  /** `icon` shows the icon alone; the label is its tooltip and what is read aloud. */
  readonly kind?: 'primary' | 'secondary' | 'icon';
  /** Tooltip, where the label is not enough. */
  readonly title?: string;
  readonly disabled?: boolean;
  readonly onPress: () => void;
}

export function button({ label, icon: name, kind = 'secondary', title, disabled, onPress }: ButtonOptions): CanBeOff {
  const content: Child[] = kind === 'icon' ? [name !== undefined && icon(name)] : [label];
  if (kind !== 'icon' && name !== undefined) {
    content.unshift(h('span', { slot: 'start', class: `codicon codicon-${name}`, 'aria-hidden': 'true' }));
  }
  const props = {
    appearance: kind,
    title: title ?? (kind === 'icon' ? label : undefined),
    'aria-label': label,
    disabled,
  };
  return custom('vscode-button', { ...props, on: { click: onPress } }, ...content) as CanBeOff;
}

/** Turns a control off, or on again. */
export function setDisabled(control: HTMLElement, disabled: boolean): void {
  (control as CanBeOff).disabled = disabled;
}

export interface FieldOptions {
  /** Read aloud as its name, and shown as its tooltip. */
  readonly label: string;
  readonly value?: string;
  readonly placeholder?: string;
  /** Of a text area: rows. */
  readonly rows?: number;
  /** Width in characters. */
  readonly size?: number;
  /** Each change while the person types. */
  readonly onInput?: (value: string) => void;
  /** When the person is done: Enter, or leaving the field. */
  readonly onChange?: (value: string) => void;
}

/** One line of text. */
export function textField(options: FieldOptions): WithValue {
  return field('vscode-text-field', options);
}

/** Several lines of text. */
export function textArea(options: FieldOptions): WithValue {
  return field('vscode-text-area', { rows: 4, ...options });
}

function field(tag: string, { label, value, placeholder, rows, size, onInput, onChange }: FieldOptions): WithValue {
  const props = { title: label, placeholder, rows, size, resize: rows && 'vertical' };
  // The toolkit names a field after its content, and overwrites any `aria-label`; the style sheet keeps it from sight.
  const element = custom(tag, props, label) as WithValue;
  if (value !== undefined) element.value = value;
  element.addEventListener('input', () => onInput?.(element.value));
  element.addEventListener('change', () => onChange?.(element.value));
  return element;
}

export interface DropdownOptions<T extends string> {
  readonly label: string;
  readonly options: readonly { readonly value: T; readonly label: string }[];
  readonly value: T;
  readonly onChange: (value: T) => void;
}

/** One of several. */
export function dropdown<T extends string>({ label, options, value, onChange }: DropdownOptions<T>): WithValue {
  const choices = options.map((option) =>
    custom('vscode-option', { value: option.value, selected: option.value === value }, option.label),
  );
  const element = custom('vscode-dropdown', { 'aria-label': label, title: label }, ...choices) as WithValue;
  element.addEventListener('change', () => onChange(element.value as T));
  return element;
}
