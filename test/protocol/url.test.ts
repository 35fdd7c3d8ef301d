import { expect, it } from 'vitest';
import { isLoopback, readSecureUrl } from '../../lib/base/url.ts';

it.each([
  ['https://assistant.example', 'https://assistant.example'],
  ['https://assistant.example/', 'https://assistant.example'],
  ['https://assistant.example/a/b//', 'https://assistant.example/a/b'],
  ['HTTPS://Assistant.Example:443/A', 'https://assistant.example/A'],
  ['https://assistant.example:8443', 'https://assistant.example:8443'],
  ['http://127.0.0.1:3000/x', 'http://127.0.0.1:3000/x'],
  ['http://127.200.3.4', 'http://127.200.3.4'],
  ['http://localhost:1', 'http://localhost:1'],
  ['http://[::1]:1', 'http://[::1]:1'],
  ['http://2130706433', 'http://127.0.0.1'],
  ['https://пример.example', 'https://xn--e1afmkfd.example'],
])('%s reads as %s', (text, url) => {
  expect(readSecureUrl(text)).toBe(url);
});

it.each([
  '',
  'assistant.example',
  '//assistant.example',
  'http://assistant.example',
  'http://10.0.0.1',
  'http://127.0.0.1.evil.example',
  'http://localhost.evil.example',
  'http://evil-localhost',
  'http://a.localhost',
  'http://128.0.0.1',
  'http://[::2]',
  'http://[::ffff:127.0.0.1]',
  'http://0.0.0.0',
  'http://localhost@evil.example',
  'https://user@assistant.example',
  'https://user:pw@assistant.example',
  'https://assistant.example/?',
  'https://assistant.example/?x=1',
  'https://assistant.example/#',
  'https://assistant.example/#x',
  'ftp://localhost',
  'ws://localhost',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'data:text/plain,x',
  'https://',
  `https://assistant.example/${'x'.repeat(2048)}`,
])('%s is refused', (text) => {
  expect(readSecureUrl(text)).toBeUndefined();
});

it('only names of this machine are loopback', () => {
  for (const host of ['localhost', '127.0.0.1', '127.255.255.255', '[::1]'])
    expect(isLoopback(host)).toBe(true);
  for (const host of [
    '',
    '.localhost',
    'x.localhost',
    'localhost.',
    'localhostx',
    '127.0.0',
    '1127.0.0.1',
    '127.0.0.1\n',
    '[::]',
    'localhost\nx',
  ]) {
    expect(isLoopback(host)).toBe(false);
  }
});
