import { describe, expect, it } from 'vitest';
import { commands, examples, help, leaves } from './help.ts';

describe('help', () => {
  it('has a description, the shape of --json and examples for every command', () => {
    for (const [name, command] of leaves) {
      expect(help(command), name).toMatch(/\n\n[A-Z][^\n]{20,}/);
      expect(help(command), name).toMatch(/\nWith --json: \S/);
      expect(examples(command).length, name).toBeGreaterThan(0);
      for (const line of examples(command)) expect(line).toContain(name);
    }
  });

  it('is what docs/cli.md says', async () => {
    const sections = commands().map(([name, command]) => {
      const level = name === 'roaming-key' ? '#' : '##';
      return `${level} ${name}\n\n\`\`\`text\n${help(command)}\n\`\`\`\n`;
    });
    await expect(sections.join('\n')).toMatchFileSnapshot('../../docs/cli.md');
  });
});
