/** Rates passwords beside the page: the word lists are large, and looking through them takes a while. */
import { ZxcvbnFactory } from '@zxcvbn-ts/core';
import { adjacencyGraphs, dictionary as common } from '@zxcvbn-ts/language-common';
import { dictionary as english, translations } from '@zxcvbn-ts/language-en';

/** What a page asks. */
export interface Question {
  readonly id: number;
  readonly password: string;
  /** Words that a thief tries first: the account's name, the app's. */
  readonly hints: readonly string[];
}

/** What the worker receives. */
export interface Rating {
  readonly id: number;
  /** From 0, guessed at once, to 4. */
  readonly score: 0 | 1 | 2 | 3 | 4;
  readonly guessesLog10: number;
  readonly warning: string;
  readonly suggestions: readonly string[];
}

const rater = new ZxcvbnFactory({
  dictionary: { ...common, ...english },
  graphs: adjacencyGraphs,
  translations,
});

addEventListener('message', ({ data: { id, password, hints } }: MessageEvent<Question>) => {
  const { score, guessesLog10, feedback } = rater.check(password.slice(0, 100), [...hints]);
  const rating: Rating = {
    id,
    score,
    guessesLog10,
    warning: feedback.warning ?? '',
    suggestions: feedback.suggestions,
  };
  postMessage(rating);
});
