import { ask } from '../api.ts';
import { startPage } from '../chrome.ts';
import { ASSISTANT } from '../config.ts';
import { byId, h } from '../dom.ts';
import { explain } from '../errors.ts';
import { showNotice } from '../notice.ts';

const known = await startPage({ needsSession: true });
if (known?.account) await draw();

async function draw(): Promise<void> {
  try {
    const { tables } = await ask<{ tables: Readonly<Record<string, readonly object[]>> }>('/data/knows');
    byId('rows').replaceChildren(
      ...Object.entries(tables).flatMap(([name, rows]) => [
        h('h3', {}, `${name} (${rows.length})`),
        ...rows
          .slice(0, 5)
          .map((row) => h('pre', { class: 'row-dump', tabindex: 0 }, JSON.stringify(row, null, 1))),
      ]),
    );
    const response = await fetch(new URL('/numbers', ASSISTANT));
    const numbers = (await response.json()) as Readonly<Record<string, number>>;
    byId('numbers').replaceChildren(
      ...Object.entries(numbers).map(([name, value]) =>
        h('div', {}, h('dt', {}, name), h('dd', {}, String(value))),
      ),
    );
  } catch (error) {
    showNotice(explain(error));
  }
}
