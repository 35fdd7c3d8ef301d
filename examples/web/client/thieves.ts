/** What a thief has, by what he has stolen: the guarantees of the protocol in everyday words. */
import type { Scheme } from './runs.ts';

export interface Loot {
  readonly id: string;
  readonly label: string;
  /** `nothing`, online or offline `guesses`, or `use` of the key. */
  readonly verdict: 'nothing' | 'guesses' | 'use';
  readonly headline: string;
  readonly text: string;
}

/** All that can be stolen, alone and together. */
export function loot(scheme: Scheme): readonly Loot[] {
  const isShared = scheme !== 'retrieve';
  return [
    {
      id: 'device',
      label: 'This device',
      verdict: 'guesses',
      headline: 'A few guesses, under the assistant’s eyes',
      text: 'The record on this device is useless by itself. The thief may try passwords, but each try goes through the assistant: five at once, then waits that double up to a day, then none. You are told of every one.',
    },
    {
      id: 'assistant',
      label: 'The assistant’s server',
      verdict: 'nothing',
      headline: 'Nothing',
      text: 'It has no accounts, no passwords, no keys, and nothing with which a password could be tested. It cannot even switch your key off.',
    },
    {
      id: 'app',
      label: 'Inkwell’s server',
      verdict: 'nothing',
      headline: 'No key, and nothing to guess with',
      text: 'Public keys, proofs that are worthless by now, and notes that it cannot open. If you have put your record there to pick it up elsewhere, its thief is where the thief of a device is: a few guesses through the assistant. And whoever runs the page can change it, so its origin is trusted with the password typed into it.',
    },
    {
      id: 'password',
      label: 'Your password',
      verdict: 'nothing',
      headline: 'Nothing, without the device',
      text: 'A password that was watched or reused elsewhere opens nothing, even for the assistant’s own operator: the other part is on your device.',
    },
    {
      id: 'both',
      label: 'Device and assistant',
      verdict: 'guesses',
      headline: 'Guesses at leisure, each of them dear',
      text: 'Now passwords can be tried without being counted. Each try costs 64 MiB of memory and a good part of a second, so a strong password still holds for very long.',
    },
    {
      id: 'all',
      label: 'Device and password',
      verdict: 'use',
      headline: isShared ? 'The use of your key, until you disable it' : 'Your key, until you disable it',
      text: isShared
        ? 'The thief can do what you can. But the key exists nowhere as a whole: once you use the kit, the assistant stops its half, and nothing new can be signed or read with it, by anybody.'
        : 'The thief can log in as you. Once you use the kit, the assistant stops helping, Inkwell refuses the key, and all its sessions end.',
    },
    {
      id: 'kit',
      label: 'Your kit',
      verdict: 'nothing',
      headline: 'A nuisance',
      text: 'Whoever finds it can switch your key off. It opens nothing.',
    },
  ];
}
