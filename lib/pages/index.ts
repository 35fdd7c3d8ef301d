/** Pages for an Express app, and the files that browsers load. */
export type { AppKey } from './account-keys.ts';
export { type BrowserAssets, type BrowserAssetsOptions, browserAssets } from './browser-assets.ts';
export type { Page, PageId } from './layout.ts';
export { type RoamingKeyPages, type RoamingKeyPagesOptions, roamingKeyPages, type Site } from './pages.ts';
