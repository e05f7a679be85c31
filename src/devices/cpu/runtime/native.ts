/**
 * Runs generated x64 code in Node: pages that are writable, then executable, never both; addresses of typed arrays; calls by
 * address. Everything goes through koffi, which is loaded here and nowhere else, only when asked for.
 */
import { type Abi, cpuidCode } from '../codegen/x64/index.ts';
import { type CpuInfo, describeCpu } from './cpu-info.ts';

export interface PlacedCode {
  /** Where the code lies, a multiple of the page size. */
  readonly address: bigint;
  /** Unmaps it; nothing may run it any more. */
  free(): void;
}

export interface Native {
  readonly abi: Abi;
  /** Copies code to executable memory of its own. Throws when the system refuses. */
  placeCode(code: Uint8Array): PlacedCode;
  /** Where a view's first byte lies; stays true for shared and WebAssembly memory while it is not grown. */
  addressOf(view: ArrayBufferView): bigint;
  /**
   * A function of `parameters` 64-bit integers by the platform's C convention, returning one (as a BigInt where a number
   * cannot hold it). Whatever the arguments point to must be kept alive by the caller.
   */
  callable(address: bigint, parameters: number): NativeFunction;
  /** Asks for large pages under fresh memory: fewer page faults, and weights that stream past page ends. A hint, no more. */
  preferLargePages(address: bigint, bytes: number): void;
  detectCpu(): CpuInfo;
}
export type NativeFunction = (...args: (bigint | number)[]) => number;

type Koffi = typeof import('koffi').default;
interface Pages {
  /** Fresh pages, readable and writable. */
  map(bytes: number): bigint;
  makeExecutable(address: bigint, bytes: number): void;
  unmap(address: bigint, bytes: number): void;
  copy(to: bigint, from: Uint8Array, bytes: number): void;
  adviseLarge?(address: bigint, bytes: number): void;
}

const PAGE = 4096;
const LARGE_PAGE = 2n ** 21n;
let loaded: Native | { unavailable: string } | undefined;

/** Loads koffi and proves that generated code runs here, once in each thread; or says why it cannot. */
export function loadNative(): Native | { unavailable: string } {
  if (loaded) return loaded;
  try {
    loaded = load();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    loaded = { unavailable: `native code cannot run here: ${reason}` };
  }
  return loaded;
}

function load(): Native | { unavailable: string } {
  if (typeof process === 'undefined' || !process.versions?.node) return { unavailable: 'native code needs Node' };
  if (process.arch !== 'x64') return { unavailable: `native code is generated for x64, this is ${process.arch}` };
  // Not an import: bundlers for the browser must not follow it, and a synchronous run may be what first asks.
  const koffi = process.getBuiltinModule('node:module').createRequire(import.meta.url)('koffi') as Koffi;
  // Opening a library is also what readies koffi in a worker thread: a call by address before it would crash.
  const pages = process.platform === 'win32' ? windowsPages(koffi) : posixPages(koffi);
  const abi: Abi = process.platform === 'win32' ? 'win64' : 'sysv';

  const placeCode = (code: Uint8Array): PlacedCode => {
    const bytes = Math.max(1, Math.ceil(code.length / PAGE)) * PAGE;
    const address = pages.map(bytes);
    try {
      pages.copy(address, code, code.length);
      pages.makeExecutable(address, bytes);
    } catch (error) {
      pages.unmap(address, bytes);
      throw error;
    }
    let isMapped = true;
    const free = (): void => {
      if (isMapped) pages.unmap(address, bytes);
      isMapped = false;
    };
    return { address, free };
  };
  const prototypes = new Map<number, ReturnType<Koffi['proto']>>();
  const callable = (address: bigint, parameters: number): NativeFunction => {
    let prototype = prototypes.get(parameters);
    if (!prototype) {
      prototype = koffi.proto('int64_t', Array<string>(parameters).fill('int64_t'));
      prototypes.set(parameters, prototype);
    }
    return koffi.decode(address, prototype) as NativeFunction;
  };
  const addressOf = (view: ArrayBufferView): bigint => BigInt(koffi.address(view));
  let cpu: CpuInfo | undefined;
  const detectCpu = (): CpuInfo => (cpu ??= readCpu(abi, placeCode, callable, addressOf));
  detectCpu(); // and with it the proof that code runs
  const preferLargePages = (address: bigint, bytes: number): void => {
    // Whole large pages inside the block only: what lies around it is somebody else's.
    const start = ((address + LARGE_PAGE - 1n) / LARGE_PAGE) * LARGE_PAGE;
    const end = ((address + BigInt(bytes)) / LARGE_PAGE) * LARGE_PAGE;
    if (end > start) pages.adviseLarge?.(start, Number(end - start));
  };
  return { abi, placeCode, addressOf, callable, preferLargePages, detectCpu };
}

function posixPages(koffi: Koffi): Pages {
  const isMac = process.platform === 'darwin';
  const libc = koffi.load(null);
  const mmap = libc.func('intptr_t mmap(intptr_t at, size_t bytes, int protection, int flags, int file, int64_t offset)');
  const mprotect = libc.func('int mprotect(intptr_t at, size_t bytes, int protection)');
  const munmap = libc.func('int munmap(intptr_t at, size_t bytes)');
  const memcpy = libc.func('void *memcpy(intptr_t to, const void *from, size_t bytes)');
  const madvise = libc.func('int madvise(intptr_t at, size_t bytes, int advice)');
  const LINUX_HUGEPAGE = 14;
  const [READ, WRITE, EXECUTE] = [1, 2, 4];
  const PRIVATE = 2;
  // macOS lets a hardened program (such as Node) turn only MAP_JIT pages executable.
  const ANONYMOUS = isMac ? 0x1000 | 0x800 : 0x20;
  return {
    map: (bytes) => {
      const address = BigInt(mmap(0, bytes, READ | WRITE, PRIVATE | ANONYMOUS, -1, 0));
      if (address === -1n) throw new Error(`the system refused ${bytes} bytes of memory for code`);
      return address;
    },
    makeExecutable: (address, bytes) => {
      if (mprotect(address, bytes, READ | EXECUTE) !== 0) throw new Error('the system refused to make memory executable');
    },
    unmap: (address, bytes) => void munmap(address, bytes),
    copy: (to, from, bytes) => void memcpy(to, from, bytes),
    adviseLarge: process.platform === 'linux' ? (at, bytes) => void madvise(at, bytes, LINUX_HUGEPAGE) : undefined,
  };
}

function windowsPages(koffi: Koffi): Pages {
  const kernel32 = koffi.load('kernel32.dll');
  const alloc = kernel32.func('intptr_t __stdcall VirtualAlloc(intptr_t at, size_t bytes, uint32_t kind, uint32_t protection)');
  const protect = kernel32.func(
    'int __stdcall VirtualProtect(intptr_t at, size_t bytes, uint32_t protection, _Out_ uint32_t *before)',
  );
  const release = kernel32.func('int __stdcall VirtualFree(intptr_t at, size_t bytes, uint32_t kind)');
  const copy = kernel32.func('void __stdcall RtlMoveMemory(intptr_t to, const void *from, size_t bytes)');
  const [COMMIT_RESERVE, RELEASE, READ_WRITE, EXECUTE_READ] = [0x3000, 0x8000, 0x04, 0x20];
  return {
    map: (bytes) => {
      const address = BigInt(alloc(0, bytes, COMMIT_RESERVE, READ_WRITE));
      if (address === 0n) throw new Error(`the system refused ${bytes} bytes of memory for code`);
      return address;
    },
    makeExecutable: (address, bytes) => {
      if (protect(address, bytes, EXECUTE_READ, [0]) === 0) throw new Error('the system refused to make memory executable');
    },
    unmap: (address) => void release(address, 0, RELEASE),
    copy: (to, from, bytes) => void copy(to, from, bytes),
  };
}

function readCpu(
  abi: Abi,
  placeCode: Native['placeCode'],
  callable: Native['callable'],
  addressOf: Native['addressOf'],
): CpuInfo {
  const { code, cpuid, xgetbv } = cpuidCode(abi);
  const placed = placeCode(code);
  const words = new Uint32Array(4);
  const out = addressOf(words);
  const callCpuid = callable(placed.address + BigInt(cpuid), 3);
  const callXgetbv = callable(placed.address + BigInt(xgetbv), 1);
  const info = describeCpu(
    (leaf, subleaf = 0) => {
      callCpuid(leaf, subleaf, out);
      const [eax, ebx, ecx, edx] = words;
      return { eax, ebx, ecx, edx };
    },
    () => {
      callXgetbv(out);
      return words[0];
    },
  );
  placed.free();
  return info;
}
