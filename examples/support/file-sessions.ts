import { mkdirSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type SessionData, Store } from 'express-session';

/** Sessions as files, for an example with several processes; a real app keeps them in its database. */
export class FileSessions extends Store {
  readonly #folder: string;

  constructor(folder: string) {
    super();
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
  }

  #file(sid: string): string {
    return path.join(this.#folder, Buffer.from(sid).toString('base64url'));
  }

  override get(sid: string, done: (error: unknown, data?: SessionData | null) => void): void {
    readFile(this.#file(sid), 'utf8').then(
      (text) => done(null, JSON.parse(text)),
      () => done(null, null),
    );
  }

  override set(sid: string, data: SessionData, done: (error?: unknown) => void = () => {}): void {
    const draft = `${this.#file(sid)}.${process.pid}`;
    writeFile(draft, JSON.stringify(data), { mode: 0o600 })
      .then(() => rename(draft, this.#file(sid)))
      .then(() => done(), done);
  }

  override destroy(sid: string, done: (error?: unknown) => void = () => {}): void {
    rm(this.#file(sid), { force: true }).then(() => done(), done);
  }
}
