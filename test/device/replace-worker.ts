/**
 * A process of its own that replaces a record again and again by one with the next number, until it has done so as often as
 * it was told.
 */
import { fileRecords } from '../../lib/device/node.ts';

const [folder = '', times = ''] = process.argv.slice(2);
const records = fileRecords(folder);
process.stdout.write('ready');
await new Promise((go) => process.stdin.once('data', go));
process.stdin.pause();
for (let done = 0; done < Number(times); ) {
  const record = await records.load('ada');
  if (!record) throw new Error('the record was lost');
  const next = { ...record, ticket: `${Number(record.ticket) + 1}` };
  if (await records.replace?.('ada', record, next)) done += 1;
}
