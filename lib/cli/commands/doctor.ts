import { command } from '../command.ts';
import { toFailure } from '../failure.ts';
import { type OpenDeviceOptions, transport } from '../open-device.ts';
import { assistantOption, recordOptions, timeoutOption } from '../options.ts';
import { table, working } from '../output.ts';
import { recordSource } from '../record-source.ts';

export const doctor = command<OpenDeviceOptions>({
  name: 'doctor',
  summary: 'look for what keeps a record from working, and say what to do',
  description: `Looks at permissions, the record, its pin and age, the network, the clock, and the assistant. Asks for no password, and
nothing is counted. Goes on after what is bad; the first of it gives the exit status.`,
  options: [...recordOptions(), assistantOption(), timeoutOption()],
  json: '{ "name" or "record", "findings": [ { "about", "state": "good", "warning" or "bad", "says" } ] }',
  examples: [{ does: 'before a journey, or when ssh says no', line: 'roaming-key doctor --name ssh' }],
  async run(options) {
    const source = await recordSource(options);
    const { examine } = await import('../doctor.ts');
    const { assistant } = options;
    const found = await working('looking', () =>
      examine(source, { ...transport(options), ...(assistant !== undefined && { assistant }) }),
    );
    const worst = found.find(({ state }) => state === 'bad');
    if (worst) process.exitCode = toFailure(worst.error).exitCode;
    const findings = found.map(({ about, state, says }) => ({ about, state, says }));
    return {
      json: { ...source.place, findings },
      text: table(findings.map(({ about, state, says }) => [`${state.padEnd(7)} ${about}`, says])),
    };
  },
});
