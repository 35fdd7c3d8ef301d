/** Short texts that people type or programs pass on. */
import { fromBase64url, toBase64url } from '../../../lib/base/bytes.ts';
import { isLoopback, readSecureUrl } from '../../../lib/base/url.ts';
import { isProofInput } from '../../../lib/device/login-proof.ts';
import { recordName } from '../../../lib/device/records.ts';
import { disablingCode, parseDisablingCode } from '../../../lib/protocol/disabling.ts';
import { normalisePassword } from '../../../lib/protocol/password.ts';
import { normaliseAccount } from '../../../lib/roaming/account-name.ts';
import { makePickupCode, readPickupCode } from '../../../lib/roaming/pickup-code.ts';
import { cursorOf, newTag, readCursor } from '../../../lib/store/marks.ts';
import { asText, type FuzzTarget, must, unless, unlessThrown } from '../target.ts';
import { loginProof } from './proofs.ts';

const URL_OF_ASSISTANT = 'https://assistant.example';

export const texts: readonly FuzzTarget[] = [
  {
    name: 'base64url',
    from: 'anybody',
    seeds: async () => ['', 'AA', 'AAA', 'AAAA', '-_-_', 'AB', 'AAAA=', 'AA A', '+/+/'],
    run(input) {
      const text = asText(input);
      const bytes = fromBase64url(text);
      must(bytes === undefined || toBase64url(bytes) === text, 'a second spelling');
      const node = Buffer.from(text, 'base64url');
      must((bytes !== undefined) === (node.toString('base64url') === text), 'not as node:buffer reads it');
      must(bytes === undefined || node.equals(bytes), 'other bytes than node:buffer reads');
    },
  },
  {
    name: 'url',
    from: 'anybody',
    seeds: async () => [
      'https://assistant.example',
      'https://assistant.example:8443/a/b/',
      'http://127.0.0.1:3000/assistant',
      'http://[::1]/x',
      'http://localhost/',
      'https://user:pw@host/?q#f',
      'https://xn--bcher-kva.example/%2e%2e/\\x',
    ],
    run(input) {
      const text = asText(input);
      const read = readSecureUrl(text);
      if (read === undefined) return;
      const url = new URL(read);
      must(
        url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname)),
        'a URL that is not secure',
      );
      must(url.username + url.password + url.search + url.hash === '', 'a URL with more than a place');
      must(readSecureUrl(read) === read, 'a URL that reads otherwise the second time');
      const below = new URL(`${read}/keys`);
      must(below.host === new URL(text).host && below.pathname.endsWith('/keys'), 'a path that leads away');
    },
  },
  {
    name: 'cursor',
    from: 'anybody',
    seeds: async () => [
      cursorOf({ seq: 1, tag: newTag() }),
      cursorOf({ seq: 999_999_999_999_999, tag: newTag() }),
    ],
    run(input) {
      const text = asText(input);
      const read = readCursor(text);
      must(read === undefined || cursorOf(read) === text, 'a cursor in a second spelling');
      must(read === undefined || Number.isSafeInteger(read.seq), 'a cursor that is no number');
    },
  },
  {
    name: 'disabling-code',
    from: 'a person',
    seeds: async () => [
      disablingCode({ t: 'A'.repeat(22), assistant: { url: URL_OF_ASSISTANT } }),
      '000G4-0R40M-30E20-9185G-R38E1-YZ4A',
    ],
    async run(input) {
      const read = await unless(['bad_kit'], () => parseDisablingCode(asText(input)));
      if (!read) return;
      const t = toBase64url(read.t);
      const code = disablingCode({ t, assistant: { url: URL_OF_ASSISTANT } });
      must(
        toBase64url(parseDisablingCode(code, URL_OF_ASSISTANT).t) === t,
        'a code that names another secret',
      );
    },
  },
  {
    name: 'pickup-code',
    from: 'a person',
    seeds: async () => [makePickupCode(), 'oil-1 abcd', 'ABCDEFGH'],
    run(input) {
      const code = readPickupCode(asText(input));
      must(code === 'none' || /^[0-9A-HJKMNP-TV-Z]{8}$/.test(code), 'a code of another form');
      must(code === 'none' || readPickupCode(code) === code, 'a code that reads otherwise the second time');
    },
  },
  {
    name: 'account-name',
    from: 'anybody',
    seeds: async () => ['ada', 'ａｄａ', 'Ada\u0308', '\u1100\u1161\u11a8', '\u{1d15e}', 'x'.repeat(256)],
    async run(input) {
      const name = await unless(['invalid_request'], () => normaliseAccount(asText(input)));
      if (name === undefined) return;
      const again = await unless(['invalid_request'], () => normaliseAccount(name));
      must(again === undefined || again === name, 'a name that reads otherwise the second time');
    },
  },
  {
    name: 'password',
    from: 'a person',
    seeds: async () => ['correct horse', 'p\u00e5ss\u2003w', 'a\u030a', '\u{1f600}', 'x'.repeat(1024)],
    async run(input) {
      const bytes = await unless(['bad_password'], () => normalisePassword(asText(input)));
      if (!bytes) return;
      must(bytes.length > 0 && bytes.length <= 1024, 'a password out of bounds');
      const again = normalisePassword(asText(bytes));
      must(toBase64url(again) === toBase64url(bytes), 'a password that reads otherwise the second time');
    },
  },
  {
    name: 'record-name',
    from: 'a person',
    seeds: async () => ['ada', 'x'.repeat(80), '../x', '\u{1f600}'],
    async run(input) {
      const bytes = await unlessThrown(RangeError, () => recordName(asText(input)));
      must(bytes === undefined || asText(bytes) === asText(input).replace(/^\ufeff/, ''), 'another name');
    },
  },
  {
    name: 'signing-guard',
    from: 'an app',
    seeds: async () => {
      const proof = await loginProof();
      const typ = (text: string) => `${toBase64url(new TextEncoder().encode(text))}.e30`;
      return [proof, typ('{"typ":"RK-x"}'), typ('{"a":"}","typ" : "application/rk-login+jwt"}'), 'x.y', ''];
    },
    run(input) {
      const isRefused = isProofInput(input);
      const head = fromBase64url(asText(input).split('.')[0] as string);
      if (!head || !asText(input).includes('.')) return;
      try {
        const { typ } = JSON.parse(asText(head));
        must(isRefused || typeof typ !== 'string' || !typ.startsWith('rk-'), 'a proof that would be signed');
      } catch (error) {
        if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
      }
    },
  },
];
