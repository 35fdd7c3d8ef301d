/** Server side of passport-roaming-key: the assistant, the Passport strategy and the stores behind them. */
export {
  Assistant,
  type AssistantOptions,
  type PolicyRequest,
  type RequestContext,
} from './assistant/assistant.ts';
export type { AssistantEvent, AssistantListener } from './assistant/events.ts';
export { type AssistantKey, type AssistantKeyType, KeySet } from './assistant/keys.ts';
export type { ServedSchemes } from './assistant/operations.ts';
export { type AssistantRouter, type AssistantRouterOptions, assistant } from './assistant/router.ts';
export { type ErrorCode, isRoamingKeyError, RoamingKeyError, type WireErrorCode } from './base/errors.ts';
export type { AssistantJwk } from './crypto/jwe/jwe.ts';
export type { Unwrap } from './crypto/jwe/jwe-node.ts';
export { type ProblemOptions, problemHandler, sendProblem } from './http/problem.ts';
export {
  type AssistStep,
  combineInstruments,
  type Instrument,
  type Outcome,
  type Part,
  type RequestStep,
  type Step,
  type StoreStep,
} from './observe/instrument.ts';
export { combineListeners, type Listener } from './observe/listeners.ts';
export { DEFAULT_GUESS_POLICY, type GuessPolicy } from './store/guess-policy.ts';
export { MemoryStore, type MemoryStoreOptions } from './store/memory.ts';
export { SqliteStore, type SqliteStoreOptions } from './store/sqlite.ts';
export type { Mark, Store } from './store/store.ts';
export { type ChallengeOptions, challenge } from './strategy/challenge.ts';
export {
  type DisabledFeed,
  type DisabledFeedOptions,
  disabledFeed,
  type FeedStatus,
} from './strategy/disabled-feed.ts';
export type {
  FeedEvent,
  FeedListener,
  RelyingPartyEvent,
  RelyingPartyListener,
} from './strategy/events.ts';
export { type LiveKeyOptions, rememberKey, requireLiveKey } from './strategy/live-key.ts';
export { type LoginOptions, login } from './strategy/login.ts';
export {
  confirmKey,
  mergeKey,
  mergeNames,
  type RegisteredKey,
  type Registration,
  removeKey,
} from './strategy/registered-key.ts';
export { type RegistrationOptions, registration } from './strategy/registration.ts';
export type { RelyingPartyOptions } from './strategy/relying-party.ts';
export type { SessionKey } from './strategy/session-mark.ts';
export {
  isLive,
  type KeyOfAccount,
  type KeyState,
  keysKilledBy,
  listKeys,
} from './strategy/standing.ts';
export { type LoginInfo, RoamingKeyStrategy, type StrategyOptions } from './strategy/strategy.ts';
export {
  type AuditEvent,
  type AuditLevel,
  type AuditLogger,
  type AuditRecord,
  auditLevel,
  auditLog,
  auditRecord,
  errorLog,
} from './telemetry/audit-log.ts';
