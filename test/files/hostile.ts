/** What a stranger's repository may hold in place of a file, made while a test runs. */
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname } from 'node:path';

/** Makes something at a path, whatever was there. */
export type Trap = (path: string) => void;

function fresh(path: string): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(dirname(path), { recursive: true });
}

export const link =
  (target: string): Trap =>
  (path) => {
    fresh(path);
    symlinkSync(target, path);
  };

export const pipe: Trap = (path) => {
  fresh(path);
  execFileSync('mkfifo', [path]);
};

export const folder: Trap = (path) => {
  fresh(path);
  mkdirSync(path);
};

/** A file of zeros, which takes no space on the disk. */
export const zeros =
  (bytes: number): Trap =>
  (path) => {
    fresh(path);
    const fd = openSync(path, 'w');
    ftruncateSync(fd, bytes);
    closeSync(fd);
  };

export const text =
  (content: string): Trap =>
  (path) => {
    fresh(path);
    writeFileSync(path, content);
  };

/** A socket; the server has to be closed. */
export async function socket(path: string): Promise<Server> {
  fresh(path);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}

/** Whatever stands where a file should be and is none, or has no end. */
export const traps: Readonly<Record<string, Trap>> = {
  'a link to /dev/zero': link('/dev/zero'),
  'a link to a file': link('/etc/hostname'),
  'a link to nothing': link('nowhere'),
  'a link to itself': (path) => link(path)(path),
  'a pipe': pipe,
  'a folder': folder,
};
