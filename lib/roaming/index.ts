/** The record service of passport-roaming-key: one's key on any device. */

export type { RoamingKeyKind, RoamingScheme } from './decoys/kinds.ts';
export type { RecordEvent, RecordListener } from './events.ts';
export type { RecordProfile, RecordProfileOptions } from './profile.ts';
export {
  type KeptRecord,
  type RecordRequestContext,
  RecordService,
  type RecordServiceOptions,
} from './record-service.ts';
export { type RoamingRecordsOptions, type RoamingRecordsRouter, roamingRecords } from './router.ts';
export { MemoryRecordStore, type MemoryRecordStoreOptions } from './stores/memory.ts';
export { PostgresRecordStore, type PostgresRecordStoreOptions } from './stores/postgres.ts';
export type {
  FetchRequest,
  FoundRecord,
  PutRequest,
  RecordFetch,
  RecordStore,
  StoredRecord,
} from './stores/record-store.ts';
export { FETCHES_KEPT } from './stores/record-store.ts';
export { RedisRecordStore, type RedisRecordStoreOptions } from './stores/redis.ts';
export { SqliteRecordStore, type SqliteRecordStoreOptions } from './stores/sqlite.ts';
