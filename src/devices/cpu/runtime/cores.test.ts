import { expect, test } from 'vitest';
import { cgroupQuota, countCores, parseCpuList, physicalCores } from './cores.ts';

const files = (contents: Record<string, string>) => (path: string) => contents[path];
const siblings = (lists: string[]) =>
  Object.fromEntries(lists.map((list, cpu) => [`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`, `${list}\n`]));

test('cpu lists', () => {
  expect(parseCpuList('0-2,5\n')).toEqual([0, 1, 2, 5]);
  expect(parseCpuList('7')).toEqual([7]);
  expect(parseCpuList('')).toEqual([]);
});

test('hyper-threads of one core count once, and only allowed processors count', () => {
  const topology = siblings(['0,2', '1,3', '0,2', '1,3']);
  const status = (list: string) => ({ '/proc/self/status': `Name:\tnode\nCpus_allowed:\tf\nCpus_allowed_list:\t${list}\n` });
  expect(physicalCores(files({ ...topology, ...status('0-3') }))).toBe(2);
  expect(physicalCores(files({ ...topology, ...status('0-1') }))).toBe(2);
  expect(physicalCores(files({ ...topology, ...status('0,2') }))).toBe(1);
  expect(physicalCores(files({}))).toBeUndefined();
  expect(physicalCores(files(status('0-3')))).toBeUndefined();
});

test('cgroup v2: the tightest quota on the way up', () => {
  const v2 = (contents: Record<string, string>) => cgroupQuota(files({ '/proc/self/cgroup': '0::/a/b\n', ...contents }));
  expect(v2({})).toBeUndefined();
  expect(v2({ '/sys/fs/cgroup/cpu.max': 'max 100000\n' })).toBeUndefined();
  expect(v2({ '/sys/fs/cgroup/a/b/cpu.max': '150000 100000\n' })).toBe(1.5);
  expect(v2({ '/sys/fs/cgroup/a/b/cpu.max': '400000 100000', '/sys/fs/cgroup/a/cpu.max': '50000 100000' })).toBe(0.5);
  // In a container: the host's path, our mount.
  expect(cgroupQuota(files({ '/proc/self/cgroup': '0::/../../x\n', '/sys/fs/cgroup/cpu.max': '200000 100000' }))).toBe(2);
});

test('cgroup v1: quota and period in two files', () => {
  const v1 = (quota: string) =>
    cgroupQuota(
      files({
        '/proc/self/cgroup': '4:memory:/\n3:cpu,cpuacct:/docker/x\n',
        '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': quota,
        '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000',
      }),
    );
  expect(v1('300000\n')).toBe(3);
  expect(v1('-1\n')).toBeUndefined();
});

test('this machine has at least one core, and no more usable ones than logical', () => {
  const { logical, physical, usable } = countCores();
  expect(usable).toBeGreaterThanOrEqual(1);
  expect(physical).toBeGreaterThanOrEqual(usable);
  expect(logical).toBeGreaterThanOrEqual(physical);
});
