/** The bits that the modulus of a shared key may have. */
export const RSA_SIZES = [2048, 3072, 4096] as const;

/** One of them. */
export type RsaSize = (typeof RSA_SIZES)[number];
