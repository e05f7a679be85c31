import { expect, it } from 'vitest';
import { erf, erfc, pow, sigmoid, softplus } from './math.ts';

// From Python 3.11's math.erf and math.erfc.
const known: [x: number, erf: number, erfc: number][] = [
  [1e-300, 1.1283791670955126e-300, 1.0],
  [1e-09, 1.1283791670955127e-09, 0.9999999988716208],
  [0.1, 0.1124629160182849, 0.8875370839817152],
  [0.3, 0.3286267594591274, 0.6713732405408726],
  [0.49, 0.511668261188523, 0.4883317388114769],
  [0.5, 0.5204998778130465, 0.4795001221869535],
  [0.7, 0.6778011938374184, 0.32219880616258156],
  [1.0, 0.8427007929497149, 0.15729920705028513],
  [1.5, 0.9661051464753108, 0.033894853524689274],
  [1.99, 0.995111413199617, 0.004888586800383003],
  [2.01, 0.9955248493552482, 0.004475150644751763],
  [2.5, 0.999593047982555, 0.0004069520174449589],
  [3.0, 0.9999779095030014, 2.2090496998585438e-05],
  [5.0, 0.9999999999984626, 1.5374597944280351e-12],
  [5.9, 0.9999999999999999, 7.190409783550478e-17],
  [10.0, 1.0, 2.088487583762545e-45],
  [26.0, 1.0, 5.663192408856143e-296],
  [-0.3, -0.3286267594591274, 1.3286267594591274],
  [-1.2, -0.9103139782296353, 1.9103139782296354],
  [-4.0, -0.9999999845827421, 1.999999984582742],
];

it.each(known)('erf(%s) and erfc to a few units of the last double place', (x, expectedErf, expectedErfc) => {
  expect(Math.abs(erf(x) / expectedErf - 1)).toBeLessThan(2e-15);
  expect(Math.abs(erfc(x) / expectedErfc - 1)).toBeLessThan(2e-15);
});

it('has the limits', () => {
  expect([erf(Infinity), erf(-Infinity), erf(NaN), erf(-0)]).toEqual([1, -1, NaN, -0]);
  expect([erfc(Infinity), erfc(-Infinity), erfc(NaN)]).toEqual([0, 2, NaN]);
  expect([sigmoid(-800), sigmoid(800), sigmoid(-745), sigmoid(NaN)]).toEqual([0, 1, 5e-324, NaN]);
  expect([softplus(-1000), softplus(1000), softplus(-40)]).toEqual([0, 1000, Math.exp(-40)]);
});

it('raises as C does', () => {
  expect([pow(1, NaN), pow(1, Infinity), pow(-1, -Infinity), pow(NaN, 0), pow(-8, 1 / 3), pow(0, -1), pow(-2, 3)]).toEqual([
    1, 1, 1, 1, NaN, Infinity, -8,
  ]);
});
