/** Addresses of OpenEnv servers: on this machine, or on one that the person has allowed by name. */
import { isIP } from 'node:net';
import { environmentErrors } from '../errors.ts';

/** Where a person allows other machines, by the names of their hosts, with commas between. */
export const allowedHosts = 'COLA_OPENENV_HOSTS';

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

/**
 * The address of the WebSocket of a server. A spec comes with a folder, so that it alone never opens a connection to another
 * machine: for that the person names the host in the environment of the process.
 *
 * @param written `ws://HOST:PORT`, or http, wss or https
 * @throws environment.openenvAddress, environment.openenvHost
 */
export function serverAddress(written: string, environment: NodeJS.ProcessEnv = process.env): URL {
  if (!URL.canParse(written)) throw environmentErrors.openenvAddress(written, 'it cannot be read');
  const url = new URL(written);
  const schemes: Readonly<Record<string, string>> = { 'ws:': 'ws:', 'http:': 'ws:', 'wss:': 'wss:', 'https:': 'wss:' };
  const scheme = schemes[url.protocol];
  if (scheme === undefined) throw environmentErrors.openenvAddress(written, `it begins with ${url.protocol}`);
  if (url.username !== '' || url.password !== '')
    throw environmentErrors.openenvAddress(`${url.protocol}//${url.host}`, 'it has a password in it');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const allowed = (environment[allowedHosts] ?? '').split(',').map((each) => each.trim().toLowerCase());
  if (!isLoopback(host) && !allowed.includes(host.toLowerCase())) throw environmentErrors.openenvHost(host);
  const path = url.pathname.replace(/(?<!\/)\/+$/, '');
  return new URL(`${scheme}//${url.host}${path.endsWith('/ws') ? path : `${path}/ws`}`);
}
