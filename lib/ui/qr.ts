/** QR codes, drawn and read; loaded when used. */
import encodeQR from 'qr';
import decodeQR from 'qr/decode.js';
import { svg } from './dom.ts';

/** The longest side of a picture that is looked at, in pixels. */
const MAX_SIDE = 2400;

/** Draws a text as a QR code. */
export function drawQr(text: string): SVGSVGElement {
  const rows = encodeQR(text, 'raw', { ecc: 'low', border: 4 });
  const size = rows.length;
  const path = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ''))).join('');
  return svg(
    'svg',
    {
      class: 'rk-qr',
      viewBox: `0 0 ${size} ${size}`,
      role: 'img',
      'aria-label': 'QR code',
      'shape-rendering': 'crispEdges',
    },
    svg('rect', { width: size, height: size, fill: '#fff' }),
    svg('path', { d: path, fill: '#000' }),
  );
}

/**
 * Reads the QR code in a picture that the user has chosen or taken.
 *
 * @returns its text; `undefined` where no code can be read
 */
export async function readQr(file: Blob): Promise<string | undefined> {
  const picture = await createImageBitmap(file).catch(() => undefined);
  if (!picture) return undefined;
  const scale = Math.min(1, MAX_SIDE / Math.max(picture.width, picture.height));
  const [width, height] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  context?.drawImage(picture, 0, 0, width, height);
  const pixels = context?.getImageData(0, 0, width, height);
  try {
    return pixels && decodeQR(pixels, { effort: 8, timeLimit: 3000 });
  } catch {
    return undefined;
  }
}
