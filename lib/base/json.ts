/** How the protocol's JSON is read: once, strictly, into typed values with bytes as bytes. */
import * as v from 'valibot';
import { fromBase64url } from './bytes.ts';

/** A base64url member of `min` to `max` bytes (exactly `min` where no `max` is given), read as bytes. */
export function bytes(min: number, max: number = min) {
  return v.pipe(
    v.string(),
    v.maxLength(Math.ceil((max * 4) / 3)),
    v.rawTransform<string, Uint8Array>(({ dataset, addIssue, NEVER }) => {
      const decoded = fromBase64url(dataset.value);
      if (decoded && decoded.length >= min && decoded.length <= max) return decoded;
      addIssue({ message: `base64url of ${min} to ${max} bytes expected` });
      return NEVER;
    }),
  );
}

/** Whole seconds since the epoch. */
export const seconds = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Parses a payload that must be spelled as `JSON.stringify` spells it, so that it has no duplicate members and every
 * reader sees the same value.
 *
 * @returns the value, or `undefined` where the bytes are anything else
 */
export function parsePayload(payload: Uint8Array): unknown {
  try {
    const text = decoder.decode(payload);
    const value: unknown = JSON.parse(text);
    return JSON.stringify(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A value as its schema reads it, or `undefined` where it does not fit. */
export function readValue<S extends v.GenericSchema>(
  value: unknown,
  schema: S,
): v.InferOutput<S> | undefined {
  const result = v.safeParse(schema, value, { abortEarly: true });
  return result.success ? result.output : undefined;
}

/** Parses a payload and reads it by its schema; `undefined` where either does not succeed. */
export function readPayload<S extends v.GenericSchema>(
  payload: Uint8Array,
  schema: S,
): v.InferOutput<S> | undefined {
  return readValue(parsePayload(payload), schema);
}
