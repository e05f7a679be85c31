/** Which instruction sets this process can run, why not the others, and which one it runs. */
import { type Isa, type IsaName, isas } from '../codegen/index.ts';
import { requiredFeatures } from './cpu-info.ts';
import { type Environment, readEnvironment } from './environment.ts';
import { reasonOf, RuntimeError } from './errors.ts';
import { loadNative } from './native.ts';
import { wasmIsa } from './wasm-flags.ts';

/** What `whet doctor` says of an instruction set. */
export interface IsaReport {
  readonly isa: IsaName;
  readonly usable: boolean;
  /** Why it is usable or not, in words. */
  readonly reason: string;
}

/** Best first. */
const byPreference: readonly IsaName[] = ['avx512', 'avx2', 'wasm'];

/** The instruction set itself where it is usable, else the reason. */
type Finding = { readonly isa: Isa; readonly reason: string } | { readonly isa?: undefined; readonly reason: string };

function findWasm(): Finding {
  let isa: Isa | undefined;
  try {
    isa = wasmIsa();
  } catch (error) {
    return { reason: reasonOf(error) };
  }
  if (!isa) return { reason: 'this engine has no WebAssembly with SIMD and shared memory' };
  return { isa, reason: `WebAssembly with ${isa.fma ? 'relaxed SIMD (fused multiply-add)' : 'SIMD (no fused multiply-add)'}${isa.pairs ? ', vectors paired to 256 bits' : ''}` };
}

function find(name: IsaName, environment: Environment): Finding {
  if (name === 'wasm') return findWasm();
  if (!environment.native) return { reason: 'switched off by WHET_NATIVE=0' };
  const native = loadNative();
  if ('unavailable' in native) return { reason: native.unavailable };
  const { features, brand } = native.detectCpu();
  const missing = requiredFeatures[name].filter((feature) => !features.has(feature));
  if (missing.length > 0) return { reason: `${brand} lacks ${missing.join(', ')}` };
  return { isa: isas[name], reason: `${brand} has ${requiredFeatures[name].join(', ')}` };
}

/** Looks at every instruction set, best first. */
export function surveyIsas(environment = readEnvironment()): IsaReport[] {
  return byPreference.map((name) => {
    const { isa, reason } = find(name, environment);
    return { isa: name, usable: isa !== undefined, reason };
  });
}

/** The one asked for, else the best there is. Throws RuntimeError, with the reasons, where that is not to be had. */
export function chooseIsa(asked: IsaName | undefined, environment = readEnvironment()): Isa {
  const wanted = asked ?? environment.isa;
  const refused: string[] = [];
  for (const name of wanted ? [wanted] : byPreference) {
    const { isa, reason } = find(name, environment);
    if (isa) return isa;
    refused.push(`${name}: ${reason}`);
  }
  throw new RuntimeError(wanted ? `instruction set ${wanted}` : 'instruction sets', {
    expected: 'one that this machine runs',
    got: refused.join('; '),
    hint: wanted === undefined || wanted === 'wasm' ? undefined : 'leave the choice open (WHET_ISA unset), or take wasm',
  });
}
