/** The same from CommonJS, by `require` of ES modules. */
import roamingKey = require('passport-roaming-key');
import device = require('passport-roaming-key/device');

export const store: roamingKey.Store = new roamingKey.MemoryStore();
export const records: device.Records = device.memoryRecords();
