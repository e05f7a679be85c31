import { describe, expect, test } from 'vitest';
import { type DType, type ModelInput, toNumbers } from '../index.ts';
import { explain } from './failure.ts';
import { latencies, measure } from './measure.ts';
import { perChannel, shapeOf } from './options.ts';
import { concreteShapes, sampleInput } from './shapes.ts';
import { bar, clip, columns, formatBytes, formatMs, makeTerminal, styleFor, wrap } from './terminal.ts';
import { startProgress } from './progress.ts';

const shapesOf = (shape: ModelInput['shape'], wishes = {}) => concreteShapes({ inputs: [{ name: 'x', dtype: 'float32', shape }] }, wishes).x;

describe('shapes', () => {
  test.each<[ModelInput['shape'], object, number[]]>([
    [['batch', 3, 224, 224], {}, [1, 3, 224, 224]],
    [['batch', 3, 224, 224], { batch: 8 }, [8, 3, 224, 224]],
    [['N', 'C', 'H', 'W'], {}, [1, 3, 224, 224]],
    [['N', 'H', 'W', 3], { batch: 2 }, [2, 224, 224, 3]],
    [['batch', 3, 48, 'width'], { known: [1, 3, 48, 320] }, [1, 3, 48, 320]],
    [['batch', 3, 48, 'width'], { known: [1, 3, 48, 320], shape: { x: [1, 3, 48, 64] } }, [1, 3, 48, 64]],
    [['batch', 3, 48, 'width'], { shape: { '': [2, 3, 48, 64] } }, [2, 3, 48, 64]],
    [['length', 'batch_size', 16], { batch: 4 }, [4, 4, 16]],
    [['batch', 'sequence'], {}, [1, 128]],
    [[], { batch: 4 }, []],
    [['...'], { shape: { x: [5, 5] } }, [5, 5]],
  ])('%j with %j is %j', (shape, wishes, expected) => expect(shapesOf(shape, wishes)).toEqual(expected));

  test('what goes against the file is refused', () => {
    expect(() => shapesOf([1, 3], { batch: 2 })).toThrow('fixes the batch of input x to 1');
    expect(() => shapesOf([1, 3], { shape: { y: [1, 3] } })).toThrow('expected one of the inputs x, got y');
    expect(() => shapesOf([1, 3], { shape: { x: [1, 4] } })).toThrow('input x is [1,3], got [1,4]');
    const two: ModelInput[] = ['a', 'b'].map((name) => ({ name, dtype: 'float32', shape: ['n'] }));
    expect(() => concreteShapes({ inputs: two }, { shape: { '': [1] } })).toThrow('the model has 2 inputs (a, b); say which, as in a=');
  });

  test('sample inputs are the same every time, and fit to be values or indices', () => {
    expect(sampleInput('float32', [2, 3])).toEqual(sampleInput('float32', [2, 3]));
    const values = (dtype: DType) => toNumbers(sampleInput(dtype, [100]));
    expect(values('float32').every((value) => value >= 0 && value < 1)).toBe(true);
    expect(new Set(values('int64'))).toEqual(new Set([0, 1]));
    expect(new Set(values('bool'))).toEqual(new Set([0, 1]));
  });
});

describe('options', () => {
  test('shapes gather by input', () => {
    expect(shapeOf('b=1,2', shapeOf('a=1x3'))).toEqual({ a: [1, 3], b: [1, 2] });
    expect(shapeOf('1x3')).toEqual({ '': [1, 3] });
    expect(shapeOf('serving:input=2:0=1x3')).toEqual({ 'serving:input=2:0': [1, 3] });
    expect(shapeOf('scalar=')).toEqual({ scalar: [] });
    for (const wrong of ['x=1x', 'x=a', 'x=-1', 'x=1.5x2', 'x=99999999999999999999']) expect(() => shapeOf(wrong)).toThrow('It must be');
  });

  test('one number serves all channels', () => {
    expect(perChannel('1')).toEqual([1, 1, 1]);
    expect(perChannel('0.485, 0.456, -1')).toEqual([0.485, 0.456, -1]);
    for (const wrong of ['', '1,2', '1,2,x', '1,,2', '1,2,3,4']) expect(() => perChannel(wrong)).toThrow('three numbers');
  });
});

describe('measuring', () => {
  test('percentiles are by nearest rank', () => {
    expect(latencies([5])).toEqual({ min: 5, p50: 5, p90: 5, p99: 5 });
    expect(latencies(Array.from({ length: 100 }, (_, i) => 100 - i))).toEqual({ min: 1, p50: 50, p90: 90, p99: 99 });
    expect(latencies([3, 1, 2])).toEqual({ min: 1, p50: 2, p90: 3, p99: 3 });
  });

  test('a run that takes longer than the time asked for is still measured', () => {
    let runs = 0;
    const told: number[] = [];
    const { runs: measured } = measure(() => void runs++, 0.01, (done) => told.push(done));
    expect(runs).toBe(measured.length + 3);
    expect(measure(() => {}, 1e-9).runs).toHaveLength(5);
  });
});

describe('writing', () => {
  test('bars fill by eighths', () => {
    expect([0, 0.5, 1, 2, -1, 1 / 32].map((fraction) => bar(fraction, 4))).toEqual(['', '██', '████', '████', '', '▏']);
    expect(bar(0.99999, 4)).toBe('████');
  });

  test('lines have 80 characters where the terminal does not know its size', () => {
    const stream = { write: () => true, columns: 0 };
    expect(makeTerminal(stream as never, stream as never).columns).toBe(80);
  });

  test('columns are as wide as they need to be', () => {
    expect(columns([['a', '1', 'x'], ['long', '100', '']], ' >')).toEqual(['a       1  x', 'long  100  ']);
  });

  test('words wrap whole', () => {
    expect(wrap('a bc def ghij', 6)).toEqual(['a bc', 'def', 'ghij']);
    expect([wrap('', 5), wrap('incomprehensible', 5), wrap('it is incomprehensible', 5)]).toEqual([[''], ['incomprehensible'], ['it is', 'incomprehensible']]);
  });

  test('long names lose their middle', () => {
    expect(clip('short', 5)).toBe('short');
    expect(clip('0123456789', 5)).toBe('01…89');
  });

  test('amounts have units', () => {
    expect([0, 999, 1000, 95_128_781, 2.5e9, 1e15].map(formatBytes)).toEqual(['0 B', '999 B', '1.0 kB', '95.1 MB', '2.5 GB', '1000000.0 GB']);
    expect([0.123, 12.34, 1234].map(formatMs)).toEqual(['0.12 ms', '12.3 ms', '1234 ms']);
  });

  test('colour is for terminals, and for who wants it', () => {
    const paint = (stream: object, environment: NodeJS.ProcessEnv) => styleFor(stream as never, environment).strong('x');
    expect(paint({ isTTY: true }, {})).toBe('\u001B[1mx\u001B[22m');
    expect([paint({}, {}), paint({ isTTY: true }, { NO_COLOR: '1' }), paint({ isTTY: true }, { TERM: 'dumb' })]).toEqual(['x', 'x', 'x']);
  });

  test('progress is a few lines where nobody looks', () => {
    const lines: string[] = [];
    const stream = { write: (text: string) => lines.push(text) > 0 };
    const progress = startProgress(makeTerminal(stream as never, stream as never), 'fetching it', { total: 1000 });
    for (let done = 0; done <= 1000; done += 10) progress.update(done);
    progress.stop('fetched it');
    expect(lines).toEqual(['fetching it: 1.0 kB\n', 'fetching it: 250 B of 1.0 kB\n', 'fetching it: 500 B of 1.0 kB\n', 'fetching it: 750 B of 1.0 kB\n', 'fetched it\n']);
  });
});

test('errors of the system are put in words, mistakes of ours are called that', () => {
  const system = (code: string, path?: string) => Object.assign(new Error(`${code}: whatever`), { code, path });
  expect(explain(system('ENOSPC', 'out.onnx'))).toBe('out.onnx: the disk is full');
  expect(explain(system('EEXIST', 'runs'))).toBe('runs: something else is there already');
  expect(explain(system('EACCES'))).toBe('permission denied');
  expect(explain(system('ESOMETHING'))).toBe('ESOMETHING: whatever');
  expect(explain(new TypeError('x is not a function'))).toContain('a mistake in Whetstone');
  expect(explain('just text')).toBe('just text');
  expect(explain(new RangeError('Array buffer allocation failed'))).toBe('out of memory');
});
