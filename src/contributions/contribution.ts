/** What the extension contributes to the editor, as types: `package.json` is written from it by `npm run contributions`. */

export interface CommandContribution {
  readonly title: string;
  /** Codicon, `$(name)`. */
  readonly icon?: string;
  /** When it can be used; otherwise it is grey. */
  readonly enablement?: string;
  /** When the palette lists it; `false` for commands that only make sense with an argument. */
  readonly palette?: string | false;
}

/** A setting as JSON schema. */
export interface SettingContribution {
  readonly type: 'string' | 'number' | 'integer' | 'boolean' | 'array' | 'object' | readonly string[];
  readonly default: unknown;
  readonly markdownDescription: string;
  readonly enum?: readonly string[];
  readonly enumDescriptions?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: object;
  readonly additionalProperties?: object | boolean;
  readonly scope?: 'application' | 'machine' | 'machine-overridable' | 'window' | 'resource' | 'language-overridable';
  readonly order?: number;
}

export interface Contribution {
  readonly commands?: Readonly<Record<string, CommandContribution>>;
  readonly settings?: Readonly<Record<string, SettingContribution>>;
  /** Names of the `when` clauses' context keys that the extension sets. */
  readonly contextKeys?: readonly string[];
  readonly keybindings?: readonly {
    readonly command: string;
    readonly key: string;
    readonly mac?: string;
    readonly when?: string;
    readonly args?: unknown;
  }[];
  /** By the place of the menu, such as `view/title`. */
  readonly menus?: Readonly<
    Record<string, readonly { readonly command: string; readonly when?: string; readonly group?: string }[]>
  >;
  /** Views in the activity bar's container of CoLA. */
  readonly views?: readonly {
    readonly id: string;
    readonly name: string;
    readonly icon?: string;
    readonly contextualTitle?: string;
    readonly when?: string;
  }[];
  readonly viewsWelcome?: readonly { readonly view: string; readonly contents: string; readonly when?: string }[];
  /** Any other point of contribution, as `package.json` has it. */
  readonly other?: Readonly<Record<string, readonly object[]>>;
}
