import type { FuzzTarget } from './target.ts';
import { answers } from './targets/answers.ts';
import { files } from './targets/files.ts';
import { keys } from './targets/keys.ts';
import { messages } from './targets/messages.ts';
import { proofs } from './targets/proofs.ts';
import { texts } from './targets/texts.ts';

/** Every decoder that meets bytes from outside. */
export const targets: readonly FuzzTarget[] = [
  ...texts,
  ...messages,
  ...proofs,
  ...keys,
  ...answers,
  ...files,
];
