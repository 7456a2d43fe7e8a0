/** The bounds of building the image. */

export const TAR_TIMEOUT_MS = 120_000;
export const NPM_CI_TIMEOUT_MS = 600_000;
/** What the files of the image may take together, unpacked. A node that pulls it in the opening minute is late. */
export const IMAGE_MAX_BYTES = 350_000_000;
