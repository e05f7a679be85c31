/** How many threads pay off: the cores that this process may really use, by affinity, hyper-threading and cgroup quota. */
import { builtin } from './platform.ts';

export interface Cores {
  /** Logical processors that the scheduler may place this process on. */
  readonly logical: number;
  /** Distinct cores among them; hyper-threads of one core share its arithmetic units. */
  readonly physical: number;
  /** Processors' worth of time that the cgroup grants, where it is limited. */
  readonly quota?: number;
  /** Threads to use: physical cores within the quota, at least 1. */
  readonly usable: number;
}

type ReadText = (path: string) => string | undefined;

/** "0-2,5" -> [0, 1, 2, 5] */
export function parseCpuList(text: string): number[] {
  return text.trim().split(',').filter(Boolean).flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** Cores behind the processors in Cpus_allowed_list, each named by the set of its siblings; undefined where not told. */
export function physicalCores(read: ReadText): number | undefined {
  const allowed = read('/proc/self/status')?.match(/^Cpus_allowed_list:\s*(\S+)$/m)?.[1];
  if (!allowed) return undefined;
  const siblings = parseCpuList(allowed).map((cpu) => read(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`)?.trim());
  return siblings.includes(undefined) ? undefined : new Set(siblings).size;
}

/**
 * The tightest CPU quota on the way from this process's cgroup to the root, in processors. cgroup v2 says `max` or
 * `quota period` in cpu.max; v1 has them in two files of its cpu controller. (Linux, admin-guide/cgroup-v2.rst, and
 * scheduler/sched-bwc.rst.)
 */
export function cgroupQuota(read: ReadText): number | undefined {
  const quotas: number[] = [];
  const add = (quota: number, period: number): void => {
    if (quota > 0 && period > 0) quotas.push(quota / period);
  };
  for (const line of read('/proc/self/cgroup')?.split('\n') ?? []) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (!match) continue;
    const [, controllers, path] = match;
    const v1 = controllers.split(',').includes('cpu');
    if (!v1 && controllers !== '') continue;
    // In a container the path may be the host's while the mount shows only our part: then only the root is found.
    const parts = path.split('/').filter((part) => part !== '' && part !== '..');
    const mounts = v1 ? [`/sys/fs/cgroup/${controllers}`, '/sys/fs/cgroup/cpu'] : ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'];
    for (const mount of mounts) {
      for (let depth = 0; depth <= parts.length; depth++) {
        const folder = [mount, ...parts.slice(0, depth)].join('/');
        if (v1) add(Number(read(`${folder}/cpu.cfs_quota_us`)), Number(read(`${folder}/cpu.cfs_period_us`)));
        else add(...((read(`${folder}/cpu.max`) ?? '').trim().split(' ').map(Number) as [number, number]));
      }
    }
  }
  return quotas.length > 0 ? Math.min(...quotas) : undefined;
}

/** Looks at the machine. Never throws: what cannot be learnt is left out. */
export function countCores(): Cores {
  const fs = builtin('node:fs');
  const read: ReadText = (path) => {
    try {
      return fs?.readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  };
  const logical = Math.max(1, builtin('node:os')?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1);
  const physical = Math.min(logical, physicalCores(read) ?? logical);
  const quota = cgroupQuota(read);
  // Rounded down: a thread stopped by the quota keeps all others waiting at the next barrier.
  const usable = Math.max(1, Math.min(physical, Math.floor(quota ?? physical)));
  return { logical, physical, quota, usable };
}
