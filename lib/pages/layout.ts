/** The frame around a page, where the app has none of its own. */

/** A page before it is framed; HTML that is safe to put in as it is. */
export interface Page {
  readonly name: PageId;
  readonly title: string;
  readonly locale: string;
  /** Elements for `<head>`: style, script, configuration. */
  readonly head: string;
  /** The element itself. */
  readonly body: string;
}

export type PageId = 'login' | 'create' | 'lost' | 'pickup' | 'devices' | 'password' | 'kit';

/** Text as it may stand in HTML and in attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A whole page. */
export function plainLayout({ title, locale, head, body }: Page, site: string, home: string): string {
  return `<!doctype html>
<html lang="${escapeHtml(locale)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)} – ${escapeHtml(site)}</title>
${head}
</head>
<body class="rk-page">
<header><a href="${escapeHtml(home)}">${escapeHtml(site)}</a></header>
<main>
${body}
</main>
</body>
</html>
`;
}
