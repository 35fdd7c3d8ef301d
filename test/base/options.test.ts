/** What a programmer is told of options that are missing, wrong or misspelt. */
import { Passport } from 'passport';
import { describe, expect, it } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { assistant } from '../../lib/assistant/router.ts';
import { checkOptions, wholeNumber, wrongOption } from '../../lib/base/options.ts';
import { roamingKeyPages } from '../../lib/pages/pages.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { login } from '../../lib/strategy/login.ts';
import { relyingParty } from '../../lib/strategy/relying-party.ts';

const SECRET = 'correct horse battery staple, and more';
const store = new MemoryStore();
const rp = { audience: 'https://app.example', secret: SECRET, store, keysOf: () => [] };
const pages = {
  rp,
  passport: new Passport() as never,
  assistant: 'https://assistant.example',
  site: 'Notebook',
  save: () => {},
};

describe('an option', () => {
  it('that is misspelt is refused, and not its default', async () => {
    const keys = await KeySet.generate();
    const said = (make: () => unknown, what: string) => expect(make).toThrow(what);
    said(
      () => assistant({ keys, store, alow: () => false } as never),
      'unknown option alow: there are keys, store,',
    );
    said(
      () => assistant({ keys, store, workers: { sise: 2 } as never }),
      'unknown option workers.sise: there are size, queue,',
    );
    said(() => assistant({ keys, store, workers: 2 as never }), 'workers must be an object, not 2');
    said(() => login(new Passport() as never, { sesion: false } as never), 'unknown option sesion');
    said(() => relyingParty({ ...rp, vouchfor: 1 } as never), 'unknown option vouchfor');
    said(() => roamingKeyPages({ ...pages, isname: () => true } as never), 'unknown option isname');
  });

  it('that is missing or of another kind is told with what was got', async () => {
    const keys = await KeySet.generate();
    for (const [make, text] of [
      [
        () => assistant(undefined as never),
        'keys must be a KeySet (`await KeySet.file(…)`), or a promise of one, not undefined',
      ],
      [() => assistant({ keys, store: 'sqlite:x' as never }), 'store must be a Store, not a string'],
      [
        () => assistant({ keys, store, disablesPerMinute: 0 }),
        'disablesPerMinute must be a whole number from 1, not 0',
      ],
      [() => assistant({ keys, store, onEvent: 1 as never }), 'onEvent must be a function, not 1'],
      [() => login('roaming-key' as never), 'passport must be an instance of Passport, not a string'],
      [() => relyingParty(undefined as never), 'options must be an object, not undefined'],
      [() => relyingParty({ ...rp, keysOf: {} as never }), 'keysOf must be a function, not an object'],
      [
        () => roamingKeyPages({ ...pages, save: undefined as never }),
        'save must be a function, not undefined',
      ],
    ] as const)
      expect(make).toThrow(new TypeError(text));
  });

  it('is never quoted where it is a text, which may be a secret in the wrong place', () => {
    for (const error of [
      wrongOption('store', 'a Store', SECRET),
      caught(() => wholeNumber('limit', SECRET, 1)),
      caught(() => checkOptions(SECRET, { a: true })),
    ])
      expect(String(error)).not.toContain('horse');
  });
});

function caught(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
