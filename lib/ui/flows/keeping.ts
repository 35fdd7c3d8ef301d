/** What keeps keys and kits once there are any; loaded then. */
export { isSameKey, keepRecord, thumbprintOf } from './keep-record.ts';
export { keyFile } from './key-file.ts';
export { kitSheet } from './kit-sheet.ts';
