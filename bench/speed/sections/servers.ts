import {
  decryptCase,
  disableCase,
  echoCase,
  floorCase,
  newSqlite,
  signCase,
  signEd25519Case,
  storeCase,
  unlockCase,
} from '../cases/assistant.ts';
import type { Case } from '../cases/case.ts';
import { loginCase } from '../cases/login.ts';
import { argon2idCase, opaqueCase, srpCase, webauthnCase } from '../cases/peers.ts';
import { inRounds, type Measured, warmUp } from '../rounds.ts';
import { type Spread, spread } from '../statistics.ts';

/** What the targets are about. */
export interface ServerRatios {
  readonly unlock_vs_opaque: Spread;
  readonly unlock_vs_webauthn: Spread;
  readonly unlock_login_vs_opaque: Spread;
  readonly unlock_vs_echo: Spread;
  readonly login_total_vs_webauthn_login: Spread;
  readonly ed25519_vs_unlock: Spread;
  readonly ed25519_vs_rsa: Spread;
  readonly store_share: Spread;
  readonly rsa2048_vs_openssl: Spread;
}

export interface ServersOptions {
  readonly rounds: number;
  readonly scale: number;
  /** Whether cases that no ratio needs are measured too, and one connection besides 32. */
  readonly all: boolean;
  readonly say: (what: string) => void;
}

export interface Servers {
  readonly many: readonly Measured[];
  readonly one: readonly Measured[];
  readonly ratios: ServerRatios;
}

const [echo, floor, opaque] = [echoCase(), floorCase(), opaqueCase()];
const webauthn = webauthnCase({ withOptions: false });
const webauthnLogin = webauthnCase({ withOptions: true });
const unlock = unlockCase('unlock, SQLite', () => ({ store: newSqlite() }));
const store = storeCase();
const login = loginCase();
const sign = signCase(2048);
const signEd25519 = signEd25519Case();
const NEEDED: readonly Case[] = [
  echo,
  unlock,
  store,
  login,
  opaque,
  webauthn,
  webauthnLogin,
  floor,
  sign,
  signEd25519,
];
const OTHERS: readonly Case[] = [
  unlockCase('unlock, a store that remembers nothing', () => ({ store: 'none' })),
  unlockCase('unlock, memory', () => ({ store: 'memory:' })),
  unlockCase('unlock, P-256, SQLite', () => ({ type: 'P-256', store: newSqlite() })),
  signCase(3072),
  decryptCase('P-256'),
  decryptCase('ffdhe2048'),
  disableCase(),
  argon2idCase(),
  srpCase(),
];

/** Measures everything that a server does for one request or one login. */
export async function measureServers({ rounds, scale, all, say }: ServersOptions): Promise<Servers> {
  const cases = [];
  for (const of of all ? [...NEEDED, ...OTHERS] : NEEDED) {
    say(`starting: ${of.name}`);
    const running = await of.start();
    await warmUp({ of, running }, scale);
    cases.push({ of, running });
  }
  const onRound = (connections: number) => (round: number) =>
    say(
      `round ${round + 1} of ${rounds}, ${connections} ${connections === 1 ? 'connection' : 'connections'}`,
    );
  const many = await inRounds(cases, { rounds, scale, connections: 32, onRound: onRound(32) });
  const one = all
    ? await inRounds(cases, { rounds, scale: scale / 2, connections: 1, onRound: onRound(1) })
    : new Map<string, Measured>();
  for (const { running } of cases) await running.server.stop();
  return { many: [...many.values()], one: [...one.values()], ratios: ratios(many) };
}

/** Round by round, so that what changed on the machine between rounds does not count. */
function ratios(measured: ReadonlyMap<string, Measured>): ServerRatios {
  const of = ({ name }: Case) => measured.get(name) as Measured;
  const over = (below: Case, above: (round: number) => number) =>
    spread(of(below).rounds.map((cost, round) => above(round) / cost));
  const cpu = (one: Case, round: number) => of(one).rounds[round] as number;
  return {
    unlock_vs_opaque: over(opaque, (i) => cpu(unlock, i)),
    unlock_vs_webauthn: over(webauthn, (i) => cpu(unlock, i)),
    unlock_login_vs_opaque: over(opaque, (i) => cpu(unlock, i) + cpu(login, i)),
    unlock_vs_echo: over(echo, (i) => cpu(unlock, i)),
    login_total_vs_webauthn_login: over(webauthnLogin, (i) => cpu(unlock, i) + cpu(login, i)),
    ed25519_vs_unlock: over(unlock, (i) => cpu(signEd25519, i)),
    ed25519_vs_rsa: over(sign, (i) => cpu(signEd25519, i)),
    store_share: over(unlock, (i) => cpu(store, i)),
    rsa2048_vs_openssl: over(floor, (i) => of(sign).workerRounds[i] as number),
  };
}
