/** The files of the built page, read once: what is not among them cannot be asked for. */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabError } from './errors.ts';

export interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Its name has a hash of its content. */
  readonly forever: boolean;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Where `npm run build` puts it, from here in dist/ and in src/. */
const built = ['page', '../../dist/lab/page'].map((path) => fileURLToPath(new URL(path, import.meta.url)));

/** By path on the server; the page itself at `/`. @throws LabError where it was not built */
export async function readPageFiles(folders: readonly string[] = built): Promise<Map<string, PageFile>> {
  for (const folder of folders) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    const files = new Map<string, PageFile>();
    for (const entry of entries) {
      const type = types[extname(entry.name)];
      if (!entry.isFile() || type === undefined) continue;
      const path = join(entry.parentPath, entry.name);
      const address = `/${relative(folder, path).split(sep).join('/')}`;
      files.set(address === '/index.html' ? '/' : address, { type, bytes: new Uint8Array(await readFile(path)), forever: address.startsWith('/assets/') });
    }
    if (files.has('/')) return files;
  }
  throw new LabError('lab', { expected: `the built page in ${folders[0]}`, got: 'none', hint: 'npm run build makes it' });
}
