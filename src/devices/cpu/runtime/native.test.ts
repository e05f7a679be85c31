import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadNative, type Native } from './native.ts';

const native = loadNative();
const reason = 'unavailable' in native ? native.unavailable : undefined;
const { placeCode, callable, addressOf, detectCpu } = native as Native;
const isLinux = process.platform === 'linux';

test('loads once, and gives a reason where it cannot', () => {
  expect(loadNative()).toBe(native);
  if (reason !== undefined) expect(reason).toMatch(/native code/);
});

describe.skipIf(reason)('where native code runs', () => {
  // lea rax, [rdi + 2 * rsi] or [rcx + 2 * rdx]; ret
  const sum = new Uint8Array([0x48, 0x8d, 0x04, process.platform === 'win32' ? 0x51 : 0x77, 0xc3]);

  test('code is placed, called and freed, twice without harm', () => {
    const placed = placeCode(sum);
    expect(placed.address % 4096n).toBe(0n);
    const call = callable(placed.address, 2);
    expect(Number(call(40, 1))).toBe(42);
    expect(BigInt(call(2n ** 60n, -1n))).toBe(2n ** 60n - 2n);
    placed.free();
    placed.free();
  });

  test('code of many pages arrives whole', () => {
    const code = new Uint8Array(3 * 4096 + 5).fill(0x90);
    code.set(sum, 3 * 4096);
    const placed = placeCode(code);
    expect(Number(callable(placed.address, 2)(1, 2))).toBe(5); // through three pages of nops
    placed.free();
  });

  test.skipIf(!isLinux)('no page is writable and executable', () => {
    const placed = placeCode(sum);
    const line = readFileSync('/proc/self/maps', 'utf8')
      .split('\n')
      .find((text) => {
        const [from, to] = text.split(' ')[0].split('-').map((x) => BigInt(`0x${x || 0}`));
        return placed.address >= from && placed.address < to;
      });
    expect(line!.split(' ')[1]).toBe('r-xp');
    placed.free();
  });

  test('addresses are where code sees the data', () => {
    // mov rax, [rdi] or [rcx]; ret
    const read = placeCode(new Uint8Array([0x48, 0x8b, process.platform === 'win32' ? 0x01 : 0x07, 0xc3]));
    const load = callable(read.address, 1);
    const shared = new Int32Array(new SharedArrayBuffer(4096));
    const wasm = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
    for (const view of [shared, shared.subarray(100), new Int32Array(8), new Int32Array(wasm.buffer, 128)]) {
      view.set([12345, 6]);
      expect(Number(load(addressOf(view)))).toBe(12345 + 6 * 2 ** 32);
    }
    expect(addressOf(shared.subarray(100)) - addressOf(shared)).toBe(400n);
    read.free();
  });

  test.skipIf(!isLinux)('the processor is what the system says it is', () => {
    const info = readFileSync('/proc/cpuinfo', 'utf8');
    const field = (name: string): string => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(info)![1];
    const cpu = detectCpu();
    expect(cpu.vendor).toBe(field('vendor_id'));
    expect(cpu.brand).toBe(field('model name').trim().replace(/\s+/g, ' '));
    const flags = new Set(field('flags').split(' '));
    const spelled: Record<string, string> = {
      sse3: 'pni',
      'sse4.1': 'sse4_1',
      'sse4.2': 'sse4_2',
      avxvnni: 'avx_vnni',
      avx512vbmi2: 'avx512_vbmi2',
      avx512vnni: 'avx512_vnni',
      avx512bitalg: 'avx512_bitalg',
      avx512bf16: 'avx512_bf16',
      avx512fp16: 'avx512_fp16',
      amxbf16: 'amx_bf16',
      amxtile: 'amx_tile',
      amxint8: 'amx_int8',
    };
    for (const feature of cpu.features) expect(flags).toContain(spelled[feature] ?? feature);
    for (const feature of ['avx', 'avx2', 'fma', 'bmi2', 'avx512f', 'avx512bw', 'avx512vl'])
      expect(cpu.features.has(feature)).toBe(flags.has(feature));
    expect(cpu.l1dBytes).toBeGreaterThanOrEqual(16 * 1024);
    expect(cpu.l2Bytes).toBeGreaterThan(cpu.l1dBytes);
  });
});
