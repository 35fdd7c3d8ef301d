/** Writes DER for hostile keys: nothing is checked here. */

export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const body = Buffer.concat(parts);
  const { length } = body;
  const header =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return new Uint8Array([tag, ...header, ...body]);
}

export const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts);

/** An INTEGER, also a negative one. */
export function integer(value: bigint): Uint8Array<ArrayBuffer> {
  let bytes = 1n;
  while (BigInt.asIntN(Number(bytes * 8n), value) !== value) bytes++;
  const hex = BigInt.asUintN(Number(bytes * 8n), value).toString(16);
  return der(0x02, Buffer.from(hex.padStart(Number(bytes * 2n), '0'), 'hex'));
}

/** RSAPrivateKey of the given numbers, version first. */
export const pkcs1 = (...numbers: readonly bigint[]) => sequence(...numbers.map(integer));

/** PKCS#8 around a PKCS#1 key. */
export function pkcs8(key: Uint8Array, ...options: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const rsaEncryption = sequence(der(0x06, Buffer.from('2a864886f70d010101', 'hex')), der(0x05));
  return sequence(integer(0n), rsaEncryption, der(0x04, key), ...options);
}

export function pem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString('base64')
    .match(/.{1,64}/g);
  return `-----BEGIN ${label}-----\n${lines?.join('\n')}\n-----END ${label}-----\n`;
}
