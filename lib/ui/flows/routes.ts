import type { AppRoutes } from './context.ts';

/** The routes as `roamingKeyPages` has them, under one base. */
export function routesUnder(base: string): Required<AppRoutes> {
  const under = (name: string) => `${base.replace(/\/+$/, '')}/${name}`;
  return {
    login: under('login'),
    register: under('register'),
    keys: under('keys'),
    session: under('session'),
    logout: under('logout'),
    names: under('names'),
    known: under('known'),
    killed: under('killed'),
    records: under('records'),
  };
}
