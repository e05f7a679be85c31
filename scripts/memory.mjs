/**
 * Resident memory of training against PyTorch's, the same model and steps: `npm run build && node scripts/memory.mjs [python]`.
 * Megabytes after 200 steps and after 5,200, and the highest there ever were; each contestant a process of its own.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const dist = new URL('../dist/', import.meta.url);
const ours = `
import { readFileSync } from 'node:fs';
const { compile, configure, fromTypedArray } = await import('${dist}tensor/index.js');
const { CrossEntropyLoss, Linear, ReLU, Sequential } = await import('${dist}nn/index.js');
const { Adam } = await import('${dist}optim/index.js');
configure({ threads: 1 });
const model = new Sequential(new Linear(784, 128), new ReLU(), new Linear(128, 10));
const [optimizer, loss] = [new Adam(model.parameters()), new CrossEntropyLoss()];
const train = (x, y) => { optimizer.zeroGrad(); const l = loss.call(model.call(x), y); l.backward(); optimizer.step(); return l; };
const step = process.argv[1] === 'compiled' ? compile(train) : train;
const y = fromTypedArray(BigInt64Array.from({ length: 64 }, (_, i) => BigInt(i % 10)), [64]);
const megabytes = () => ['VmRSS', 'VmHWM'].map((name) => +new RegExp(name + ':\\\\s+(\\\\d+)').exec(readFileSync('/proc/self/status', 'utf8'))[1] / 1024);
const run = (steps) => { for (let i = 0; i < steps; i++) step(fromTypedArray(new Float32Array(64 * 784).fill(i % 7), [64, 784]), y).item(); return megabytes(); };
const [warm] = run(200);
const [end, most] = run(5000);
console.log(JSON.stringify({ warm, end, most }));
`;
const theirs = `
import json, torch, torch.nn as nn
torch.set_num_threads(1)
model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
opt, loss = torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss()
y = torch.arange(64) % 10
def megabytes():
    lines = dict(l.split(':') for l in open('/proc/self/status'))
    return [int(lines[k].split()[0]) / 1024 for k in ('VmRSS', 'VmHWM')]
def run(steps):
    for i in range(steps):
        opt.zero_grad(); l = loss(model(torch.full((64, 784), float(i % 7))), y); l.backward(); opt.step(); l.item()
    return megabytes()
warm, _ = run(200)
end, most = run(5000)
print(json.dumps(dict(warm=warm, end=end, most=most)))
`;

const python = process.argv[2] ?? '/usr/bin/python3';
const contestants = {
  'Whetstone, compiled': [process.execPath, ['--input-type=module', '-e', ours, 'compiled']],
  'Whetstone, retraced': [process.execPath, ['--input-type=module', '-e', ours, 'retraced']],
  PyTorch: [python, ['-c', theirs]],
};
for (const [name, [command, args]] of Object.entries(contestants)) {
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: 'utf8', cwd: fileURLToPath(new URL('..', import.meta.url)) });
  if (status !== 0) {
    console.log(`${name.padEnd(22)}failed: ${stderr.trim().split('\n').at(-1)}`);
    continue;
  }
  const { warm, end, most } = JSON.parse(stdout);
  console.log(`${name.padEnd(22)}${[warm, end, most].map((n) => `${n.toFixed(0).padStart(6)} MB`).join('')}`);
}
