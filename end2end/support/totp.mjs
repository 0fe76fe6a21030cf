// The codes for two-factor authentication, as an authenticator app shows them.
import { createHmac } from 'node:crypto';

export const STEP_MS = 30_000;

/** Decodes a base32 text (RFC 4648) without padding. */
function fromBase32(text) {
  const bits = [...text].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'));
  return Buffer.from(bits.join('').match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}

/** Returns the code that the app shows at an instant (RFC 6238). */
export function codeAt(secret, millis) {
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(millis / STEP_MS)));
  const mac = createHmac('sha1', fromBase32(secret)).update(step).digest();
  const number = mac.readUInt32BE(mac.at(-1) & 0xf) & 0x7fff_ffff;
  return String(number % 1_000_000).padStart(6, '0');
}
