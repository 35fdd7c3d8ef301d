import { RoamingKeyError } from '../base/errors.ts';
import { parseSealed, readAssistantJwk } from '../crypto/jwe/jwe.ts';
import { AssistantClient } from '../device/assistant-client.ts';
import type { DeviceRecord } from '../protocol/record.ts';
import { disabledFeed } from '../strategy/disabled-feed.ts';
import { trustedAssistant } from './pins.ts';

export interface CheckOptions {
  readonly isOffline: boolean;
  readonly assistant?: string;
  readonly timeout?: number;
}

/** What is known of a record that would work. */
export interface CheckedRecord {
  readonly assistantKey: 'active' | 'retiring' | 'unasked';
  /** What its owner should know, though it works. */
  readonly warnings: readonly string[];
}

/**
 * Finds out what a record says without a password.
 *
 * @throws RoamingKeyError `bad_record` where it is damaged, of another assistant, or sealed to a key that the assistant
 *   does not publish; `disabled`; `network`, `unavailable`, `bad_response`
 */
export async function checkRecord(record: DeviceRecord, options: CheckOptions): Promise<CheckedRecord> {
  const { isOffline, assistant, timeout = 30 } = options;
  const { url, jwk } = record.assistant;
  const sealed = parseSealed(record.ticket, 'rk-ticket+jwe');
  if (!(await readAssistantJwk(jwk)) || sealed?.kid !== jwk.kid) {
    throw new RoamingKeyError('bad_record', "the record's ticket and assistant key do not belong together");
  }
  const client = new AssistantClient(url, { timeout });
  if (new AssistantClient(await trustedAssistant(record, assistant)).url !== client.url) {
    throw new RoamingKeyError('bad_record', `this device record belongs to another assistant: ${client.url}`);
  }
  const warnings: string[] = [];
  if (isOffline) return { assistantKey: 'unasked', warnings };
  const at = (await client.keys()).findIndex(({ kid }) => kid === jwk.kid);
  if (at < 0) throw new RoamingKeyError('bad_record', 'the assistant has no such key (any more): enrol anew');
  if (await disabledFeed({ url, timeout }).isDisabled([record.u])) {
    throw new RoamingKeyError('disabled', 'this key was disabled by its owner');
  }
  if (at > 0)
    warnings.push("the assistant's key is retiring: use the record once, and it moves to the new one");
  return { assistantKey: at === 0 ? 'active' : 'retiring', warnings };
}
