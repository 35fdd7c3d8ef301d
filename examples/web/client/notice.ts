/** Messages to the user, as the package's own elements show them, with links to any page of this app. */
import { showNotice as showPackageNotice } from 'passport-roaming-key/ui';
import type { Notice as PackageNotice, PageName } from 'passport-roaming-key/ui/flows';
import { secondsAhead } from './clock.ts';

export { sign } from 'passport-roaming-key/ui';
export type { Tone } from 'passport-roaming-key/ui/flows';

export interface Notice extends Omit<PackageNotice, 'action'> {
  readonly action?: { readonly label: string; readonly href: string };
}

/** Shows a message in the page's place for them, in that of an earlier one; `undefined` clears it. */
export function showNotice(notice: Notice | undefined, host = document.getElementById('notice')): void {
  if (!host) return;
  host.classList.add('rk');
  if (!notice) {
    showPackageNotice(host, undefined);
    return;
  }
  const { action, until, ...rest } = notice;
  showPackageNotice(
    host,
    {
      ...rest,
      // Waits are in the app's time, and counted down in this device's.
      ...(until !== undefined && { until: until + secondsAhead() }),
      ...(action && { action: { label: action.label, page: action.href as PageName } }),
    },
    { hrefOf: (href) => href },
  );
}
