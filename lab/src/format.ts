/** Numbers, times and names as people read them. */
import type { Axis } from './state.ts';

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** Four digits that count. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(2).replace(/\.?0*e\+?/, 'e');
  if (Number.isInteger(value)) return grouped.format(value);
  return size >= 1000 ? grouped.format(value) : String(Number(value.toPrecision(4)));
}

export const formatStep = (step: number): string => (step < 0 ? '–' : grouped.format(step));

/** `1 h 02 min`, `3 min 20 s`, `4.2 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toPrecision(2))} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours} h ${two(minutes)} min` : `${minutes} min ${two(whole % 60)} s`;
}

const days = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
export const formatDate = (time: number): string => days.format(time);

/** `learning-rate` as a title. */
export const title = (name: string): string => name.replaceAll(/[-_]+/g, ' ');

/** A place on the horizontal axis. */
export const formatPlace = (axis: Axis, value: number): string => (axis === 'time' ? formatSeconds(value) : axis === 'epoch' ? formatNumber(Number(value.toFixed(2))) : formatStep(Math.round(value)));
