/**
 * A log is lines, and each stands alone: a checksum, a space, JSON. So a torn or damaged line is known as such, skipped, and takes
 * nothing with it; what was written before stays as it is.
 */
import { crc32 } from 'node:zlib';
import type { ProcessMark } from './process.ts';
import type { Config, HistogramBins } from './shared/index.ts';

/** The first record of every log file. */
export interface OpenRecord {
  readonly kind: 'open';
  readonly format: 1;
  /** When, in milliseconds since 1970; so in every record. */
  readonly time: number;
  readonly run: string;
  readonly process: ProcessMark;
  readonly config: Config;
}
export interface ScalarsRecord {
  readonly kind: 'scalars';
  readonly time: number;
  readonly step: number;
  /** What JSON has no number for is written as its name: `NaN`, `Infinity`. */
  readonly values: Readonly<Record<string, number | string>>;
}
export interface HistogramRecord extends HistogramBins {
  readonly kind: 'histogram';
  readonly time: number;
  readonly step: number;
  readonly name: string;
}
export interface ImageRecord {
  readonly kind: 'image';
  readonly time: number;
  readonly step: number;
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** PNG in base64. */
  readonly png: string;
}
export interface TextRecord {
  readonly kind: 'text';
  readonly time: number;
  readonly step: number;
  readonly name: string;
  readonly text: string;
}
/** The last record of a run that ended by itself. */
export interface CloseRecord {
  readonly kind: 'close';
  readonly time: number;
  /** False where the process ended with an error. */
  readonly ok: boolean;
}
export type LogRecord = OpenRecord | ScalarsRecord | HistogramRecord | ImageRecord | TextRecord | CloseRecord;

/** More is neither written nor taken. */
export const mostNameLength = 150;
const mostBins = 1024;
/** A longer line is never written, and skipped unread. */
export const maxLineBytes = 2 ** 20;

const checksumDigits = 8;
const checksum = (bytes: string | Uint8Array): string => crc32(bytes).toString(16).padStart(checksumDigits, '0');

/** A record as its line, newline included. */
export function encodeRecord(record: LogRecord): string {
  const json = JSON.stringify(record);
  return `${checksum(json)} ${json}\n`;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isNumber = (value: unknown): boolean => typeof value === 'number';
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
const isStep = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isSide = (value: unknown): boolean => isStep(value) && (value as number) > 0;
const isName = (value: unknown): boolean => isText(value) && (value as string).length <= mostNameLength;
const isCounts = (value: unknown): boolean => Array.isArray(value) && value.length <= mostBins && value.every(isNumber);
const isValues = (value: unknown): boolean => isObject(value) && Object.entries(value as object).every(([name, one]) => isName(name) && (isNumber(one) || isText(one)));

/** What each kind has beside its time. */
const fields: Readonly<Record<LogRecord['kind'], Readonly<Record<string, (value: unknown) => boolean>>>> = {
  open: { run: isText, process: isObject, config: isObject },
  scalars: { step: isStep, values: isValues },
  histogram: { step: isStep, name: isName, low: isNumber, high: isNumber, counts: isCounts, count: isNumber, mean: isNumber, deviation: isNumber, bad: isNumber },
  image: { step: isStep, name: isName, width: isSide, height: isSide, png: isText },
  text: { step: isStep, name: isName, text: isText },
  close: { ok: (value) => typeof value === 'boolean' },
};

/** The record of a line (without its newline), or undefined where it is damaged or of a kind that this version does not know. */
export function decodeLine(line: Uint8Array): LogRecord | undefined {
  if (line.length <= checksumDigits + 1 || line.length > maxLineBytes) return undefined;
  const json = line.subarray(checksumDigits + 1);
  if (Buffer.from(line.buffer, line.byteOffset, checksumDigits + 1).toString('latin1') !== `${checksum(json)} `) return undefined;
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.length).toString()) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (!isObject(record) || !isNumber(record.time) || !Object.hasOwn(fields, record.kind as string)) return undefined;
  const checks = fields[record.kind as LogRecord['kind']];
  return Object.keys(checks).every((name) => checks[name](record[name])) ? (record as unknown as LogRecord) : undefined;
}

export interface LinePlace {
  /** Of the line's first byte in the file. */
  readonly offset: number;
  readonly line: Uint8Array;
}

/**
 * Cuts a stream of bytes into whole lines, which are good until the next call; what is no whole line yet is kept for that. Lines that are
 * too long are dropped.
 */
export function makeLineCutter(): (bytes: Uint8Array) => LinePlace[] {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  let at = 0;
  return (bytes) => {
    const lines: LinePlace[] = [];
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      const part = bytes.subarray(from, end);
      if (restBytes + part.length <= maxLineBytes) lines.push({ offset: at + from - restBytes, line: restBytes === 0 ? part : Buffer.concat([...rest, part]) });
      rest = [];
      restBytes = 0;
      from = end + 1;
    }
    if (from < bytes.length) {
      // What is longer than any line is only counted.
      if (restBytes <= maxLineBytes) rest.push(Uint8Array.from(bytes.subarray(from)));
      else rest = [];
      restBytes += bytes.length - from;
    }
    at += bytes.length;
    return lines;
  };
}
