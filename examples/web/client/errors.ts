/** What went wrong, in the package's own words. */
import { explain as explainError } from 'passport-roaming-key/ui/flows';
import type { Notice } from './notice.ts';
import { lastAsked } from './runs.ts';

const PAGES = { home: '/home', reload: '' } as Readonly<Record<string, string>>;

/** What to tell the user. */
export function explain(error: unknown): Notice {
  const { action, ...notice } = explainError(error, { site: 'Inkwell', server: lastAsked() ?? 'app' });
  if (!action) return notice;
  return { ...notice, action: { label: action.label, href: PAGES[action.page] ?? `/${action.page}` } };
}
