import type { PageId } from './layout.ts';

/** What stands on a page before its scripts are there. */
export interface PageWords extends Readonly<Record<PageId, string>> {
  readonly loading: string;
  readonly late: string;
  readonly noScript: string;
}

export const PAGE_WORDS: Readonly<Record<'en' | 'de', PageWords>> = {
  en: {
    login: 'Log in',
    create: 'Create your account',
    lost: 'Lost a device?',
    pickup: 'Bring your key here',
    devices: 'Your keys',
    password: 'Change your password',
    kit: 'Your kit',
    loading: 'Loading …',
    late: 'A part of this page is late or missing. Check the connection, then reload the page.',
    noScript:
      'This page needs JavaScript. Keys are made and used in your browser, so nothing works here without it.',
  },
  de: {
    login: 'Anmelden',
    create: 'Konto anlegen',
    lost: 'Gerät verloren?',
    pickup: 'Schlüssel hierher holen',
    devices: 'Ihre Schlüssel',
    password: 'Passwort ändern',
    kit: 'Ihr Notfallblatt',
    loading: 'Wird geladen …',
    late: 'Ein Teil dieser Seite fehlt oder kommt spät. Prüfen Sie die Verbindung und laden Sie die Seite neu.',
    noScript:
      'Diese Seite braucht JavaScript. Schlüssel entstehen und wirken in Ihrem Browser, ohne es geht hier nichts.',
  },
};
