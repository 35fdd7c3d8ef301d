import { homedir } from 'node:os';
import path from 'node:path';
import type { Option } from 'commander';
import { CommandLineError } from './failure.ts';

/**
 * The folder for this user's data: `roaming-key` in `$XDG_DATA_HOME`, by default `~/.local/share` (XDG Base
 * Directory Specification), or in `%LOCALAPPDATA%` on Windows.
 *
 * @throws CommandLineError `usage` for a user without a home
 */
export function dataFolder(...names: readonly string[]): string {
  const { XDG_DATA_HOME = '', LOCALAPPDATA = '' } = process.env;
  const base = [XDG_DATA_HOME, process.platform === 'win32' ? LOCALAPPDATA : ''].find((dir) =>
    path.isAbsolute(dir),
  );
  return path.join(base ?? path.join(homeFolder(), '.local', 'share'), 'roaming-key', ...names);
}

/** @throws CommandLineError `usage` */
export function homeFolder(): string {
  try {
    return homedir();
  } catch (error) {
    throw new CommandLineError('usage', 'this user has no home folder: set HOME or XDG_DATA_HOME', error);
  }
}

/** Gives an option a default in the data folder; without a home it must be given. */
export function defaultInData(option: Option, name: string, prefix = ''): Option {
  try {
    const file = dataFolder(...name.split('/'));
    return option.default(`${prefix}${file}`, `${prefix}${name} in your data folder`);
  } catch {
    return option.makeOptionMandatory();
  }
}
