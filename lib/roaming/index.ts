/** The record service of passport-roaming-key: one's key on any device. */
export type { RecordEvent, RecordListener } from './events.ts';
export { MemoryRecordStore, type MemoryRecordStoreOptions } from './memory-records.ts';
export { PostgresRecordStore, type PostgresRecordStoreOptions } from './postgres-records.ts';
export type { RecordProfile, RecordProfileOptions, RoamingKeyKind } from './profile.ts';
export { type RecordRequestContext, RecordService, type RecordServiceOptions } from './record-service.ts';
export type {
  FetchRequest,
  FoundRecord,
  PutRequest,
  RecordFetch,
  RecordStore,
  StoredRecord,
} from './record-store.ts';
export { FETCHES_KEPT } from './record-store.ts';
export { RedisRecordStore, type RedisRecordStoreOptions } from './redis-records.ts';
export { type RoamingRecordsOptions, type RoamingRecordsRouter, roamingRecords } from './router.ts';
export { SqliteRecordStore, type SqliteRecordStoreOptions } from './sqlite-records.ts';
