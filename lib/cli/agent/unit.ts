/** Service definitions that start the agent with the user's session. */

export type ServiceManager = 'systemd' | 'launchd';

/**
 * @param command the program and its arguments, absolute paths
 * @param socket where the agent listens
 */
export function serviceUnit(manager: ServiceManager, command: readonly string[], socket: string): string {
  return manager === 'systemd' ? systemdUnit(command, socket) : launchdAgent(command, socket);
}

function systemdUnit(command: readonly string[], socket: string): string {
  return `# ~/.config/systemd/user/roaming-key-agent.service
# systemctl --user enable --now roaming-key-agent
# In your shell's profile: export SSH_AUTH_SOCK=${socket}
[Unit]
Description=SSH agent for keys that exist nowhere
Documentation=man:ssh-agent(1)

[Service]
ExecStart=${command.map(systemdWord).join(' ')}
Restart=on-failure
UMask=0077
LimitCORE=0
NoNewPrivileges=yes

[Install]
WantedBy=default.target
`;
}

/** Quoted by the rules of systemd.service(5), where percent and dollar signs have a meaning of their own. */
function systemdWord(word: string): string {
  const escaped = word.replace(/["\\]/g, '\\$&').replace(/%/g, '%%').replace(/\$/g, '$$$$');
  return /^[\w@%+=:,./-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

function launchdAgent(command: readonly string[], socket: string): string {
  const words = command.map((word) => `    <string>${xml(word)}</string>\n`).join('');
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- ~/Library/LaunchAgents/roaming-key.agent.plist
     launchctl bootstrap gui/$UID ~/Library/LaunchAgents/roaming-key.agent.plist
     In your shell's profile: export SSH_AUTH_SOCK=${xml(socket).replaceAll('--', '&#45;&#45;')} -->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>roaming-key.agent</string>
  <key>ProgramArguments</key>
  <array>
${words}  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>Umask</key>
  <integer>63</integer>
</dict>
</plist>
`;
}

function xml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
