/**
 * Records what a page and its device have sent while they did something for the user: whom to, how large, in which
 * parts. Names and sizes alone; no content is kept.
 */
import type { Progress } from 'passport-roaming-key/device';
import { noteTime } from './clock.ts';
import { ASSISTANT } from './config.ts';
import { classify, type MessageKind } from './message-kinds.ts';

export type Server = 'assistant' | 'app';
export type Scheme = 'retrieve' | 'ed25519' | 'elgamal';

/** A named part of a message. */
export interface Part {
  readonly name: string;
  readonly bytes: number;
}

/** A request and its answer. */
export interface Exchange {
  readonly type: 'exchange';
  readonly kind: MessageKind;
  readonly server: Server;
  readonly bytes: number;
  readonly parts: readonly Part[];
  /** 0 where no answer came. */
  readonly status: number;
  readonly code?: string;
  readonly answerBytes: number;
  readonly answerParts: readonly Part[];
}

/** Work that the device did by itself. */
export interface Local {
  readonly type: 'local';
  readonly phase: 'generating' | 'stretching';
  readonly ms: number;
}

export type Step = Exchange | Local;

/** What was done, from the user's click to its end. */
export interface Run {
  readonly title: string;
  readonly scheme: Scheme;
  /** In milliseconds since the epoch. */
  readonly at: number;
  readonly steps: Step[];
  /** `ok`, or the code of what went wrong. */
  outcome: string;
}

const KEY = 'inkwell:runs';
const KEPT = 6;

let asked: Server | undefined;
let current: Run | undefined;
let working: { phase: Local['phase']; since: number } | undefined;
/** Whether the current run has no end of its own. */
let isOpen = false;
let onPhase: ((progress: Progress) => void) | undefined;

/** For every device on these pages: the platform's `fetch`, looked at. */
export const io = {
  fetch: (async (input, init) => {
    endLocal();
    const run = current;
    const url = new URL(input instanceof Request ? input.url : input);
    const server: Server = url.href.startsWith(ASSISTANT) ? 'assistant' : 'app';
    asked = server;
    if (!run) {
      const response = await fetch(input, init);
      noteTime(response, server);
      return response;
    }
    const text = typeof init?.body === 'string' ? init.body : '';
    const request = {
      type: 'exchange' as const,
      kind: classify(
        server,
        url.pathname.replace(new URL(ASSISTANT).pathname, ''),
        init?.method ?? 'GET',
        run,
      ),
      server,
      bytes: text.length,
      parts: partsOf(text),
    };
    try {
      const response = await fetch(input, init);
      noteTime(response, server);
      const answer = await response.clone().text();
      const code = response.ok ? undefined : codeOf(answer);
      run.steps.push({
        ...request,
        status: response.status,
        ...(code !== undefined && { code }),
        answerBytes: new TextEncoder().encode(answer).length,
        answerParts: partsOf(answer),
      });
      if (code !== undefined) run.outcome = code;
      if (isOpen) keep(run);
      return response;
    } catch (error) {
      run.steps.push({ ...request, status: 0, answerBytes: 0, answerParts: [] });
      throw error;
    }
  }) satisfies typeof fetch as typeof fetch,
  onProgress: (progress: Progress) => {
    if (progress.done === undefined) {
      endLocal();
      if (progress.phase === 'generating' || progress.phase === 'stretching')
        working = { phase: progress.phase, since: performance.now() };
    }
    onPhase?.(progress);
  },
};

/** Begins a run that ends with the next one; it is kept after every step. */
export function begin(title: string): void {
  current = { title, scheme: 'ed25519', at: Date.now(), steps: [], outcome: 'ok' };
  working = undefined;
  isOpen = true;
}

function endLocal(): void {
  if (!working) return;
  current?.steps.push({
    type: 'local',
    phase: working.phase,
    ms: Math.round(performance.now() - working.since),
  });
  working = undefined;
}

/** Which server was asked last, and so is the one that did not answer. */
export function lastAsked(): Server | undefined {
  return asked;
}

/** Does something and keeps its record, be it a success or not. */
export async function record<T>(
  { title, scheme, onProgress }: { title: string; scheme: Scheme; onProgress?: (progress: Progress) => void },
  act: () => Promise<T>,
): Promise<T> {
  const run: Run = { title, scheme, at: Date.now(), steps: [], outcome: 'ok' };
  current = run;
  isOpen = false;
  working = undefined;
  onPhase = onProgress;
  try {
    return await act();
  } catch (error) {
    const { code, name } = error as { code?: string; name?: string };
    run.outcome = code ?? name ?? 'failed';
    throw error;
  } finally {
    endLocal();
    if (current === run) {
      current = undefined;
      onPhase = undefined;
    }
    keep(run);
  }
}

/** The last runs of this tab, newest first. */
export function runs(): Run[] {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? '[]') as Run[];
  } catch {
    return [];
  }
}

function keep(run: Run): void {
  if (run.steps.length === 0) return;
  try {
    sessionStorage.setItem(
      KEY,
      JSON.stringify([run, ...runs().filter(({ at }) => at !== run.at)].slice(0, KEPT)),
    );
  } catch {
    // A browser that keeps nothing shows the picture on this page alone.
  }
  document.dispatchEvent(new CustomEvent('inkwell:run', { detail: run }));
}

function partsOf(text: string): Part[] {
  const members = parse(text);
  if (!members) return [];
  return Object.entries(members).map(([name, value]) => ({
    name,
    bytes: (typeof value === 'string' ? value : JSON.stringify(value)).length,
  }));
}

function codeOf(text: string): string | undefined {
  const code = parse(text)?.['code'];
  return typeof code === 'string' ? code : undefined;
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
