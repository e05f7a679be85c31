/** `startLab`: serves the page of a folder of runs, to whoever has its link. */
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import type { Hono } from 'hono';
import { LabError } from './errors.ts';
import { readPageFiles } from './page-files.ts';
import { watchRuns } from './watch.ts';

export interface LabOptions {
  /** Where runs are kept. Default: `runs`. */
  readonly folder?: string;
  /** Default: 8888; 0 takes any that is free. */
  readonly port?: number;
  /** The address to listen at. Default: 127.0.0.1, this machine alone. */
  readonly host?: string;
  /** At least 8 characters. Default: a random one. */
  readonly token?: string;
  /** The built page, where it is not beside this file. */
  readonly page?: string;
}

export interface Lab {
  /** With the token: whoever has it may look. */
  readonly url: string;
  readonly port: number;
  readonly token: string;
  readonly folder: string;
  close(): Promise<void>;
}

const fewestTokenCharacters = 8;

const listenProblems: Readonly<Record<string, (host: string) => string>> = {
  EADDRINUSE: () => 'one that something else listens on',
  EACCES: () => 'one that needs more rights',
  EADDRNOTAVAIL: (host) => `${host}, which is no address of this machine`,
  ENOTFOUND: (host) => `${host}, which is no address of this machine`,
};

/** @throws LabError where the port is taken, the token is too short, or the page was not built */
export async function startLab({ folder = 'runs', port = 8888, host = '127.0.0.1', token = randomBytes(24).toString('base64url'), page }: LabOptions = {}): Promise<Lab> {
  if (token.length < fewestTokenCharacters || !/^[\x21-\x7e]*$/.test(token)) {
    throw new LabError('token', { expected: `at least ${fewestTokenCharacters} printable characters without spaces`, got: `${token.length}` });
  }
  const there = await stat(folder).catch(() => undefined);
  if (there?.isDirectory() === false) throw new LabError(folder, { expected: 'a folder of runs, or none yet', got: 'a file' });
  const files = await readPageFiles(page === undefined ? undefined : [page]);
  const watcher = watchRuns(resolve(folder));
  const ending = new AbortController();
  try {
    // Loaded where it serves: a training script, and other verbs of the command, import this file as well.
    const { makeApp } = await import('./app.ts');
    const app = makeApp({ watcher, files, token, host, signal: ending.signal });
    const server = await listen(app.fetch, host, port);
    const at = (server.address() as AddressInfo).port;
    return {
      url: `http://${linkHost(host)}:${at}/?token=${encodeURIComponent(token)}`,
      port: at,
      token,
      folder: watcher.folder,
      async close() {
        ending.abort();
        await watcher.close();
        await new Promise<void>((done) => {
          server.close(() => done());
          server.closeAllConnections();
        });
      },
    };
  } catch (error) {
    await watcher.close();
    throw error;
  }
}

const isLocal = (host: string): boolean => ['127.0.0.1', '::1', '0.0.0.0', '::', 'localhost'].includes(host);
const linkHost = (host: string): string => (isLocal(host) ? 'localhost' : host.includes(':') ? `[${host}]` : host);

async function listen(fetch: Hono['fetch'], hostname: string, port: number): Promise<Server> {
  const { serve } = await import('@hono/node-server');
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, hostname, port }, () => resolve(server)) as Server;
    server.once('error', (error: NodeJS.ErrnoException) => {
      const got = listenProblems[error.code ?? '']?.(hostname) ?? error.message;
      reject(new LabError(`port ${port}`, { expected: 'a free port', got, hint: error.code === 'EADDRINUSE' ? '--port chooses another, 0 any that is free' : undefined }));
    });
  });
}
