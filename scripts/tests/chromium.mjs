// The browser that the tests drive.
import { existsSync } from 'node:fs';

/** Where it may be. The shell without windows takes a tenth less of the processors; the whole browser does as well. */
const places = [
  process.env.COLA_CHROMIUM,
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
];

/** Asked anew each time: it may have been installed meanwhile. @returns its path, undefined where there is none */
export const findChromium = () => places.find((place) => place !== undefined && existsSync(place));

export const noChromium = `there is no Chromium: install the package chromium-headless-shell or chromium of Debian, or name one with COLA_CHROMIUM`;
