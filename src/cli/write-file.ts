/** Files are written whole or not at all: under another name beside the target, then renamed. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Writes parts one after another. Whatever goes wrong (a full disk, Ctrl-C), the target is as it was before.
 * @throws Node's error where the folder or the file cannot be written.
 */
export async function writeWhole(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  // A device or a pipe cannot be replaced by renaming: it is written to.
  const direct = info !== undefined && !info.isFile() && !info.isDirectory();
  // Where the path is a link, it stays one.
  const target = info ? await realpath(path) : path;
  const draft = direct ? target : join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.part`);
  const interrupted = (signal: NodeJS.Signals): void => {
    if (!direct) rmSync(draft, { force: true });
    process.kill(process.pid, signal);
  };
  for (const signal of signals) process.once(signal, interrupted);
  try {
    const file = await open(draft, direct ? 'w' : 'wx');
    try {
      for (const part of parts) await writeAll(file, part);
      if (!direct) await file.sync();
    } finally {
      await file.close();
    }
    if (!direct) await rename(draft, target);
  } catch (error) {
    if (!direct) await rm(draft, { force: true });
    // The name of the draft means nothing to who asked for the target.
    throw Object.assign(error as Error, { path });
  } finally {
    for (const signal of signals) process.off(signal, interrupted);
  }
}

async function writeAll(file: Awaited<ReturnType<typeof open>>, bytes: Uint8Array): Promise<void> {
  const largest = 2 ** 30;
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, Math.min(largest, bytes.length - at));
    at += bytesWritten;
  }
}
