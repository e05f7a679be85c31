/** Follows a folder of runs: what is written there, by whatever process, is in a view shortly after. */
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from './process.ts';
import { decodeLine, makeLineCutter } from './record.ts';
import { segmentsAmong } from './segments.ts';
import type { RunSummary } from './shared/index.ts';
import { makeView, type Place, type RunView } from './view.ts';

export interface WatchedRun {
  readonly view: RunView;
  readonly summary: RunSummary;
  /** Grows with every change. */
  readonly version: number;
}

export interface Watcher {
  readonly folder: string;
  readonly runs: ReadonlyMap<string, WatchedRun>;
  /** Grows with every look at the folder that found something new. */
  readonly version: number;
  /** Resolves when the version is not this one any more, when `ms` are over, or when the watcher closes. */
  next(version: number, ms: number): Promise<void>;
  /** The line of a log where a sample is. */
  read(run: string, place: Place): Promise<Uint8Array>;
  close(): Promise<void>;
}

const chunkBytes = 2 ** 18;
/** Runs that nobody seems to write are looked at only now and then. */
const restingLooks = 8;
/** A run of another machine is alive while its log changes at least this often. */
const quietMs = 120_000;

interface Following extends WatchedRun {
  view: RunView;
  summary: RunSummary;
  version: number;
  /** The file being read, by its place among the run's files, and how far. */
  segment: number;
  offset: number;
  cut: ReturnType<typeof makeLineCutter>;
  /** Identifies the folder: a run may be deleted and made again under its name. */
  inode: number;
}

const fresh = (name: string, inode: number): Following => {
  const view = makeView(name);
  return { view, summary: view.summary(false), version: 0, segment: 0, offset: 0, cut: makeLineCutter(), inode };
};

/** Looks at once, then every `everyMs`. A folder that is not there has no runs yet; a large one is there run by run. */
export function watchRuns(folder: string, everyMs = 250): Watcher {
  const runs = new Map<string, Following>();
  const waiting = new Set<() => void>();
  let [looks, version] = [0, 0];
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  const buffer = Buffer.alloc(chunkBytes);

  /** Everything that a file has grown by. True where there was something. */
  const readFile = async (run: Following, path: string): Promise<boolean> => {
    const file = await open(path, 'r');
    const from = run.offset;
    try {
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, chunkBytes, run.offset);
        if (bytesRead === 0 || closed) return run.offset > from;
        run.offset += bytesRead;
        for (const { offset, line } of run.cut(buffer.subarray(0, bytesRead))) {
          if (line.length > 0) run.view.add(decodeLine(line), { segment: run.segment, offset, length: line.length });
        }
      }
    } finally {
      await file.close();
    }
  };
  const follow = async (name: string): Promise<boolean> => {
    const path = join(folder, name);
    let run = runs.get(name);
    if (run && run.summary.status !== 'running' && looks % restingLooks !== 0) return false;
    const { ino } = await lstat(path);
    if (run?.inode !== ino) run = undefined;
    const segments = segmentsAmong(await readdir(path));
    if (segments.length === 0) return runs.delete(name);
    run ??= fresh(name, ino);
    let changed = false;
    for (; run.segment < segments.length; run.segment++) {
      const file = join(path, segments[run.segment]);
      const info = await lstat(file);
      if (!info.isFile()) continue;
      // A file that shrank is another one: all is read anew.
      if (info.size < run.offset) return runs.delete(name);
      if (info.size > run.offset) changed = (await readFile(run, file)) || changed;
      if (run.segment === segments.length - 1) break;
      run.offset = 0;
      run.cut = makeLineCutter();
    }
    const mark = run.view.opened?.process;
    const alive = mark !== undefined && (isAlive(mark) ?? Date.now() - run.summary.updated < quietMs);
    if (!changed && run.view.status(alive) === run.summary.status && runs.has(name)) return false;
    run.summary = run.view.summary(alive);
    run.version++;
    runs.set(name, run);
    return true;
  };
  const tellAll = (): void => [...waiting].forEach((tell) => tell());
  const changed = (): void => {
    version++;
    tellAll();
  };
  const look = async (): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    const names = new Set(entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name));
    for (const name of runs.keys()) if (!names.has(name) && runs.delete(name)) changed();
    for (const name of names) {
      // What vanishes while it is looked at is not there the next time.
      if (await follow(name).catch(() => false)) changed();
      if (closed) return;
    }
    looks++;
  };
  const lookOn = (): Promise<void> =>
    look().finally(() => {
      if (!closed) timer = setTimeout(() => void (looking = lookOn()), everyMs).unref();
    });
  let looking = lookOn();

  return {
    folder,
    runs,
    get version() {
      return version;
    },
    next: (known, ms) =>
      new Promise((resolve) => {
        if (known !== version || closed) return resolve();
        const tell = (): void => {
          clearTimeout(timeout);
          waiting.delete(tell);
          resolve();
        };
        const timeout = setTimeout(tell, ms).unref();
        waiting.add(tell);
      }),
    async read(run, { segment, offset, length }) {
      const names = segmentsAmong(await readdir(join(folder, run)));
      const file: FileHandle = await open(join(folder, run, names[segment]), 'r');
      try {
        const line = Buffer.alloc(length);
        const { bytesRead } = await file.read(line, 0, length, offset);
        return line.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      tellAll();
      await looking;
    },
  };
}
