/** Files are written whole or not at all: all of them under other names beside their targets first, then renamed. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export interface FileToWrite {
  readonly path: string;
  /** One after another. */
  readonly parts: Iterable<Uint8Array>;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Whatever goes wrong (a full disk, Ctrl-C), the targets are as they were before and nothing lies beside them.
 * @throws Node's error, with the target as its `path`, where a folder or file cannot be written.
 */
export async function writeWhole(files: readonly FileToWrite[]): Promise<void> {
  const drafts: { path: string; draft: string; target: string }[] = [];
  const interrupted = (signal: NodeJS.Signals): void => {
    for (const { draft } of drafts) rmSync(draft, { force: true });
    process.kill(process.pid, signal);
  };
  for (const signal of signals) process.once(signal, interrupted);
  try {
    for (const { path, parts } of files) {
      await named(path, async () => {
        const info = await stat(path).catch(() => undefined);
        // A device or a pipe cannot be replaced by renaming: it is written to.
        if (info && !info.isFile() && !info.isDirectory()) return writeParts(path, 'w', parts);
        // Where the path is a link, it stays one.
        const target = info ? await realpath(path) : path;
        const draft = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.part`);
        drafts.push({ path, draft, target });
        await writeParts(draft, 'wx', parts);
      });
    }
    for (const { path, draft, target } of drafts) await named(path, () => rename(draft, target));
  } catch (error) {
    for (const { draft } of drafts) await rm(draft, { force: true });
    throw error;
  } finally {
    for (const signal of signals) process.off(signal, interrupted);
  }
}

/** The name of a draft means nothing to who asked for the target. */
async function named(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw Object.assign(error as Error, { path });
  }
}

async function writeParts(path: string, flags: string, parts: Iterable<Uint8Array>): Promise<void> {
  const file = await open(path, flags);
  try {
    for (const part of parts) await writeAll(file, part);
    if (flags === 'wx') await file.sync();
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  const mostAtOnce = 2 ** 30;
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, Math.min(mostAtOnce, bytes.length - at));
    at += bytesWritten;
  }
}
