/** What a preflight found out about one thing. */
export interface PreflightCheck {
  name: string;
  blocking: boolean;
  passed: boolean;
  /** What was seen, and what to do about it where that is not obvious. */
  message: string;
}

export const passed = (name: string, message: string): PreflightCheck => ({
  ...{ name, blocking: true, passed: true, message },
});
export const failed = (name: string, message: string): PreflightCheck => ({
  ...{ name, blocking: true, passed: false, message },
});
/** Not as it should be, and no reason not to sell. */
export const advised = (name: string, message: string): PreflightCheck => ({
  ...{ name, blocking: false, passed: false, message },
});
