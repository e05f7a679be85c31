import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as whetstone from './index.ts';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

test('the version is the package\'s', () => expect(whetstone.version).toBe(manifest.version));

test('the operators are there with the face', () => expect(whetstone.opNames()).toContain('Conv'));
