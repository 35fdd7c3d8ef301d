/** What the server has written into the page. */
function read(name: string): string {
  return document.querySelector(`meta[name="inkwell:${name}"]`)?.getAttribute('content') ?? '';
}

/** The assistant that this app uses. No record may name another. */
export const ASSISTANT = read('assistant');

/** What passwords cost to guess, where that is not the package's default. */
export const KDF = JSON.parse(read('kdf') || '{}') as { t?: number; m?: number; p?: number };

export const ORIGIN = location.origin;
