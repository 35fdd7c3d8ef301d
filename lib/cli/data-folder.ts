import { homedir } from 'node:os';
import path from 'node:path';

/**
 * The folder for this user's data: `roaming-key` in `$XDG_DATA_HOME`, by default `~/.local/share` (XDG Base
 * Directory Specification), or in `%LOCALAPPDATA%` on Windows.
 */
export function dataFolder(...names: readonly string[]): string {
  const { XDG_DATA_HOME = '', LOCALAPPDATA = '' } = process.env;
  const base = [XDG_DATA_HOME, process.platform === 'win32' ? LOCALAPPDATA : ''].find((dir) =>
    path.isAbsolute(dir),
  );
  return path.join(base ?? path.join(homedir(), '.local', 'share'), 'roaming-key', ...names);
}
