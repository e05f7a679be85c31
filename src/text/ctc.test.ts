import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromNumbers, type TensorData, tensorData } from '../graph/index.ts';
import { ctcGreedy, TextError } from './index.ts';

const labels = ['', 'a', 'b', 'c'];

/** Scores whose best class at each step is the one given. */
const scoresOf = (paths: readonly (readonly number[])[], best = 0.75): TensorData => {
  const steps = paths[0].length;
  const rest = (1 - best) / (labels.length - 1);
  const values = paths.flatMap((path) => path.flatMap((choice) => labels.map((_, c) => (c === choice ? best : rest))));
  return fromNumbers('float32', [paths.length, steps, labels.length], values);
};

describe('ctcGreedy', () => {
  test('takes runs once and leaves blanks out', () => {
    const [line] = ctcGreedy(scoresOf([[0, 1, 1, 0, 1, 2, 2, 3, 0]]), labels);
    expect(line).toEqual({ text: 'aabc', classes: [1, 1, 2, 3], steps: [1, 4, 5, 7], score: 0.75 });
  });

  test('reads every line of a batch, and a single line without one', () => {
    const batch = scoresOf([[1, 0, 2], [0, 0, 0], [3, 3, 3]]);
    expect(ctcGreedy(batch, labels).map(({ text }) => text)).toEqual(['ab', '', 'c']);
    expect(ctcGreedy({ ...scoresOf([[2, 1, 0]]), shape: [3, 4] }, labels)[0].text).toBe('ba');
    expect(ctcGreedy(scoresOf([[0, 0, 0]]), labels)[0]).toEqual({ text: '', classes: [], steps: [], score: 0 });
  });

  test('another class may be the blank; labels may be of several characters', () => {
    const [line] = ctcGreedy(scoresOf([[0, 3, 0, 1, 2]]), ['ch', 'ng', 'x', '-'], { blank: 3 });
    expect(line.text).toBe('chchngx');
  });

  test('logits say the same as probabilities; the first of equals is taken', () => {
    const logits = fromNumbers('float64', [2, 4], [-5, -1, -2, -3, 0, 0, 0, 0]);
    expect(ctcGreedy(logits, labels)[0]).toMatchObject({ text: 'a', score: -1 });
  });

  test('any text comes back, however long each character and each blank lasts', () => {
    const letter = fc.record({ letter: fc.integer({ min: 1, max: 3 }), length: fc.integer({ min: 1, max: 4 }), blanks: fc.integer({ min: 1, max: 3 }) });
    fc.assert(
      fc.property(fc.array(letter, { minLength: 1, maxLength: 12 }), (letters) => {
        const path = letters.flatMap(({ letter: c, length, blanks }) => [...new Array<number>(length).fill(c), ...new Array<number>(blanks).fill(0)]);
        const [line] = ctcGreedy(scoresOf([path]), labels);
        expect(line.text).toBe(letters.map(({ letter: c }) => labels[c]).join(''));
        expect(line.steps.map((step) => path[step])).toEqual(line.classes);
      }),
    );
  });

  test('nothing to read', () => {
    expect(ctcGreedy(fromNumbers('float32', [1, 0, 4], []), labels)[0].text).toBe('');
    expect(ctcGreedy(fromNumbers('float32', [0, 5, 4], []), labels)).toEqual([]);
  });

  test('says what does not fit', () => {
    const scores = scoresOf([[1, 2]]);
    expect(() => ctcGreedy(scores, ['a'])).toThrow(new TextError('labels', { expected: '4, one for each class', got: '1' }));
    expect(() => ctcGreedy(scores, labels, { blank: 4 })).toThrow('blank: expected a class from 0 to 3, got 4');
    expect(() => ctcGreedy({ ...scores, shape: [8] }, labels)).toThrow('expected float32 or float64 of [steps, classes]');
    expect(() => ctcGreedy(tensorData('int32', [1, 4], new Int32Array(4)), labels)).toThrow('got int32[1,4]');
  });
});
