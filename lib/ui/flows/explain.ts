/** Errors as messages for people: one table, one text for each code. */
import { isRoamingKeyError, type RoamingKeyError } from '../../device/index.ts';
import { CORE_WORDS } from './english/core.ts';
import { fill, type Values, type Words } from './words.ts';

/** How a message looks; a failure never looks like another. */
export type Tone = 'wrong' | 'wait' | 'offline' | 'stop' | 'info' | 'done' | 'warn';

/** Pages that a message may lead to. */
export type PageName = 'login' | 'create' | 'pickup' | 'lost' | 'devices' | 'password' | 'home' | 'reload';

/** A message to the user. */
export interface Notice {
  readonly tone: Tone;
  readonly title: string;
  readonly text?: string;
  /** When it is worth trying again, in seconds since the epoch; the wait is counted down after `text`. */
  readonly until?: number;
  readonly action?: { readonly label: string; readonly page: PageName; readonly account?: string };
}

/** Which texts are used, and what they are about. */
export interface ExplainOptions {
  /** BCP 47 language tag, for numbers and times. Default `en`. */
  readonly locale?: string;
  /** Texts in place of the English ones: `GERMAN`, or single texts of the app's own. */
  readonly words?: Partial<Words>;
  /** What users call the app. */
  readonly site?: string;
  /** Which server was asked last, where that is known. Default: the app. */
  readonly server?: 'assistant' | 'app';
  /** What `refused` means: `key` at a login, else the session has ended. Default `session`. */
  readonly refused?: 'key' | 'session';
}

/**
 * What to show the user.
 *
 * @example
 * const { title, text, until } = explain(error, { site: 'Inkwell', locale: 'de', words: GERMAN });
 */
export function explain(error: unknown, options: ExplainOptions = {}): Notice {
  const { locale = 'en', words, site = 'The app', server = 'app', refused = 'session' } = options;
  const all = { ...CORE_WORDS, ...words };
  const say = (key: keyof typeof CORE_WORDS, values?: Values) =>
    capital(
      fill(all[key], { site, server: server === 'app' ? site : all['server.assistant'], ...values }, locale),
    );
  const go = (page: PageName) => ({ label: say(`go.${page}`), page });
  if (!isRoamingKeyError(error)) {
    // A module that cannot be loaded rejects with a TypeError.
    const key = isMissingPart(error) ? 'missing-part' : 'broken';
    return { tone: 'stop', title: say(`${key}.title`), text: say(`${key}.text`), action: go('reload') };
  }
  const { code, retryAt, attemptsLeft } = error;
  const until = retryAt === undefined ? {} : { until: retryAt };
  const plain = (tone: Tone, more: Partial<Notice> = {}): Notice => ({
    tone,
    title: say(`${code}.title`),
    text: say(`${code}.text`),
    ...more,
  });
  switch (code) {
    case 'wrong_password':
      if (attemptsLeft === 0)
        return plain('wrong', { ...until, ...(retryAt && { text: say('wrong_password.last') }) });
      return plain('wrong', attemptsLeft ? { text: say('wrong_password.left', { n: attemptsLeft }) } : {});
    case 'locked':
      return plain(
        'wait',
        retryAt === undefined ? { text: say('locked.forever'), action: go('lost') } : until,
      );
    case 'busy':
      if (isChangedElsewhere(error))
        return {
          tone: 'info',
          title: say('busy.changed'),
          text: say('busy.changed.text'),
          action: go('reload'),
        };
      return plain('wait', { until: retryAt ?? Math.ceil(Date.now() / 1000) + 2 });
    case 'disabled':
      return plain('stop', { action: go('create') });
    case 'retired':
    case 'unknown_key':
    case 'bad_ticket':
    case 'bad_mac':
      return plain(code === 'retired' ? 'info' : 'stop', { action: go('pickup') });
    case 'refused':
      return refused === 'key'
        ? plain('stop')
        : {
            tone: 'info',
            title: say('refused.session'),
            text: say('refused.session.text'),
            action: go('login'),
          };
    case 'network': {
      const offline = globalThis.navigator?.onLine === false || error.message.includes('offline');
      const kind = offline
        ? 'offline'
        : error.message.includes('Content-Security-Policy')
          ? 'policy'
          : undefined;
      return kind
        ? { tone: 'offline', title: say(`network.${kind}`), text: say(`network.${kind}.text`) }
        : plain('offline');
    }
    case 'unavailable':
    case 'unsupported':
      return isAboutStorage(error)
        ? { tone: 'stop', title: say(`${code}.storage`), text: say(`${code}.storage.text`) }
        : plain(code === 'unavailable' ? 'offline' : 'stop');
    case 'suspended':
    case 'bad_response':
    case 'invalid_request':
      return plain('stop');
    case 'stale_request':
      return plain('wait');
    case 'not_unlocked':
    case 'replayed':
      return plain('info');
    case 'bad_password':
    case 'bad_record':
    case 'bad_kit':
    case 'wrong_assistant':
    case 'bad_key':
      return plain('wrong');
  }
}

/** Whether loading a module failed, as browsers say it. */
function isMissingPart(error: unknown): boolean {
  return (
    error instanceof Error &&
    /dynamically imported module|importing a module script|error loading dynamically|worker.*load|load.*worker/i.test(
      error.message,
    )
  );
}

function isChangedElsewhere(error: RoamingKeyError): boolean {
  return error.message.includes('elsewhere');
}

/** Storage errors are the device's own: they carry no HTTP status of an answer. */
function isAboutStorage({ cause, message }: RoamingKeyError): boolean {
  return cause instanceof DOMException || /\b(tab|room|browser|store data|private mode)\b/.test(message);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
