/** The theme's colours for what is drawn rather than laid out; read again when the theme changes. */

export interface Colours {
  readonly text: string;
  readonly soft: string;
  readonly line: string;
  readonly ground: string;
  readonly raised: string;
  readonly mark: string;
  readonly highContrast: boolean;
}

export function readColours(): Colours {
  const style = getComputedStyle(document.body);
  const of = (name: string) => style.getPropertyValue(name).trim();
  const contrast = document.body.classList;
  return {
    text: of('--text') || style.color,
    soft: of('--soft') || style.color,
    line: of('--line') || style.color,
    ground: of('--ground') || style.backgroundColor,
    raised: of('--raised') || style.backgroundColor,
    mark: of('--mark') || style.color,
    highContrast: contrast.contains('vscode-high-contrast') || contrast.contains('vscode-high-contrast-light'),
  };
}

/** Calls back when the person chose another theme. */
export function onThemeChange(changed: () => void): void {
  new MutationObserver(changed).observe(document.body, {
    attributes: true,
    attributeFilter: ['class', 'data-vscode-theme-id'],
  });
  new MutationObserver(changed).observe(document.documentElement, { attributes: true, attributeFilter: ['style'] });
}

export function reducesMotion(): boolean {
  return (
    matchMedia('(prefers-reduced-motion: reduce)').matches || document.body.classList.contains('vscode-reduce-motion')
  );
}
