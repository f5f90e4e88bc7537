/** Asked anew each time: it may have been installed meanwhile. @returns its path, undefined where there is none */
export function findChromium(): string | undefined;

export const noChromium: string;
