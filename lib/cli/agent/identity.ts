/** A key in the agent, whatever stands behind it. */
export interface Identity {
  /** The public key or certificate in SSH's wire format. */
  readonly blob: Uint8Array;
  /** What `ssh-add -l` shows beside it. */
  readonly comment: string;
  /**
   * @param flags of the request; they matter for RSA alone
   * @param asker whom the request comes from, for questions to the user
   * @returns the signature in SSH's wire format
   */
  sign(data: Uint8Array, flags: number, asker: string): Promise<Uint8Array>;
  /** Wipes what is held of the private key. */
  forget(): void;
}
