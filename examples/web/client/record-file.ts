/** A device record on its way to another device, as a file or as a link in a QR code. */
import { type DeviceRecord, parseRecord, RoamingKeyError } from 'passport-roaming-key/device';
import type { Purpose } from './api.ts';

/** A record and what it is for. */
export interface CarriedRecord {
  readonly account: string;
  readonly purpose: Purpose;
  readonly record: DeviceRecord;
}

const PURPOSES: readonly string[] = ['login', 'sign', 'notes'] satisfies Purpose[];

/** The file's text. */
export function writeRecordFile(carried: CarriedRecord): string {
  return `${JSON.stringify({ inkwell: 1, ...carried }, null, 2)}\n`;
}

/**
 * Reads a file, or a link that was scanned.
 *
 * @throws RoamingKeyError `bad_record`, saying what it is instead where that can be told
 */
export async function readRecordText(text: string): Promise<CarriedRecord> {
  const link = /\/pickup#record=([\w-]+)$/.exec(text.trim());
  if (link) return readCarried(await inflate(link[1] as string));
  if (/\/lost#|^[0-9A-HJKMNP-TV-Z]{5}(-[0-9A-HJKMNP-TV-Z]{4,5}){5}$/i.test(text.trim()))
    throw new RoamingKeyError(
      'bad_record',
      'this is a disabling code: it switches a key off, and belongs to the page for lost devices',
    );
  return readCarried(text);
}

/** A link that another device opens; what stands behind # is never sent to a server. */
export async function recordLink(carried: CarriedRecord): Promise<string> {
  return `${location.origin}/pickup#record=${await deflate(JSON.stringify({ inkwell: 1, ...carried }))}`;
}

function readCarried(text: string): CarriedRecord {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null)
    throw new RoamingKeyError('bad_record', 'this is not a key file of Inkwell');
  const { inkwell, account, purpose, record } = value as Record<string, unknown>;
  if ('t' in value)
    throw new RoamingKeyError(
      'bad_record',
      'this is a disabling kit: it switches a key off, and belongs to the page for lost devices',
    );
  if (inkwell === undefined) throw new RoamingKeyError('bad_record', 'this is not a key file of Inkwell');
  if (
    inkwell !== 1 ||
    typeof account !== 'string' ||
    typeof purpose !== 'string' ||
    !PURPOSES.includes(purpose)
  )
    throw new RoamingKeyError('bad_record', 'this key file is damaged, or made by a newer Inkwell');
  return { account, purpose: purpose as Purpose, record: parseRecord(record) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function deflate(text: string): Promise<string> {
  const bytes = await through(new TextEncoder().encode(text), new CompressionStream('deflate-raw'));
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=+$/, '');
}

async function inflate(text: string): Promise<string> {
  try {
    const bytes = Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
    return new TextDecoder().decode(await through(bytes, new DecompressionStream('deflate-raw')));
  } catch (cause) {
    throw new RoamingKeyError('bad_record', 'the link is damaged: scan the code once more', { cause });
  }
}

async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: CompressionStream | DecompressionStream,
): Promise<Uint8Array> {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}
