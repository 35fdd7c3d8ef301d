import { beforeAll, describe, expect, it } from 'vitest';
import { isAbsent } from '../support/binaries.ts';
import { CHEAP, cleanUp, onTerminal, sandbox, serveAssistant } from './support.ts';

cleanUp();

describe.skipIf(isAbsent('script'))('on a terminal', { timeout: 300_000 }, () => {
  const box = sandbox();
  let url: string;
  beforeAll(async () => {
    ({ url } = await serveAssistant(box));
  });

  it('asks for a new password twice, and for it again later, and shows none', async () => {
    const enroll = `roaming-key enroll --assistant ${url} ${CHEAP.join(' ')}`;
    const enrolled = await onTerminal(box, enroll, [
      ['New password: ', 'wr\x7f\x7fgrüße\x1b[A, wörld\r'],
      ['The same again: ', 'nonsense\x15grüße, wörld\r'],
    ]);
    expect(enrolled.status).toBe(0);
    expect(enrolled.shown).toContain('code');
    expect(enrolled.shown).not.toContain('gr');

    const signed = await onTerminal(box, 'echo x | roaming-key sign 2>/dev/null', [
      ['Password: ', 'grüße, wörld\r'],
    ]);
    expect([signed.status, signed.shown.includes('rld')]).toEqual([0, false]);
    const env = { ROAMING_KEY_PASSWORD: 'grüße, wörld' };
    expect(await box.run(['sign'], { env, input: 'x' })).toMatchObject({ status: 0 });

    const wrong = await onTerminal(box, 'roaming-key sign /dev/null', [['Password: ', 'something\r']]);
    expect([wrong.status, wrong.shown]).toEqual([3, expect.stringContaining('4 tries left')]);
    expect(wrong.shown).toContain('signing …\r\x1b[K');
  });

  it('gives up where the two differ, and at Ctrl-C, with the terminal as it was', async () => {
    const enroll = `roaming-key enroll --assistant ${url} --name other`;
    const differ = await onTerminal(box, enroll, [
      ['New password: ', 'one\r'],
      ['The same again: ', 'two\r'],
    ]);
    expect([differ.status, differ.shown]).toEqual([2, expect.stringContaining('differ')]);
    for (const key of ['\x03', '\x04']) {
      const line = `${enroll}; code=$?; stty -a | grep -q ' echo ' && exit $code`;
      const stopped = await onTerminal(box, line, [['New password: ', `half${key}`]]);
      expect(stopped.status).toBe(130);
    }
    expect(await box.json(['record', 'list'])).toMatchObject({
      names: expect.not.arrayContaining(['other']) as unknown,
    });
  });

  it('asks for a code that is no argument', async () => {
    const line = `roaming-key disable --assistant ${url}`;
    const { status, shown } = await onTerminal(box, line, [
      ['Disabling code: ', '000g4 or4om 3oe2o 9i85g r38el yz4a\r'],
    ]);
    expect([status, shown]).toEqual([0, expect.stringContaining(`the key is disabled at ${url}\r\n`)]);
    expect(shown).toContain(`nothing says that the key belongs to ${url}`);
  });
});
