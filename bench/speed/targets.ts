/** What each ratio is, and what it should stay below. */
export const TARGETS = {
  unlock_vs_webauthn: { is: 'CPU per unlock ÷ WebAuthn verification', atMost: 0.8 },
  unlock_vs_opaque: { is: 'CPU per unlock ÷ CPU per OPAQUE login', atMost: 0.2 },
  unlock_login_vs_opaque: { is: 'unlock, challenge and login ÷ OPAQUE login', atMost: 0.45 },
  unlock_vs_echo: { is: 'CPU per unlock ÷ Express echo', atMost: 2.3 },
  login_total_vs_webauthn_login: {
    is: 'unlock, challenge and login ÷ WebAuthn options and verification',
    atMost: 1.4,
  },
  ed25519_vs_unlock: { is: 'CPU per shared Ed25519 signature ÷ unlock', atMost: 2.5 },
  ed25519_vs_rsa: { is: 'CPU per shared Ed25519 signature ÷ shared RSA-2048', atMost: 0.3 },
  store_share: { is: "CPU of the SQLite store's calls ÷ unlock", atMost: 0.25 },
  rsa2048_vs_openssl: {
    is: 'worker CPU per shared RSA-2048 ÷ one constant-time exponentiation',
    atMost: 1.25,
  },
  route_p99_under_rsa: { is: 'p99 of another route under full RSA load ÷ idle', atMost: 2 },
  route_p99_under_ed25519: { is: 'p99 of another route under full Ed25519 load ÷ idle', atMost: 1.5 },
  flood_owner: {
    is: "an owner's unlock beside a stranger's flood of right RSA requests ÷ idle; infinite if one fails",
    atMost: 5,
  },
  growth_disabled_1M: { is: 'unlock latency at 1 M disabled marks ÷ at none', atMost: 1.1 },
} as const;

export type TargetName = keyof typeof TARGETS;
