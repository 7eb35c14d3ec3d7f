/** What each does beyond the task. A test fails where one of these is not so. */

export const VARIANTS = ['loadlock', 'uppy', 'better-upload'];

/** As `integration.test.js` finds it. */
export const FOUND = {
  'more than 25 MiB is refused by the store': [true, true, true],
  'HTML and SVG, which are not allowed, are refused when the page is bypassed': [true, false, true],
  'HTML that calls itself a photo is refused': [true, false, false],
  'what was published cannot be replaced by its sender': [true, false, false],
  'a file that never arrived cannot be published': [true, false, false],
};

/** As their sources say, and Loadlock's own tests of expiry. */
export const READ = {
  'what is never published is deleted, without a rule of the bucket’s': [true, false, false],
  'another user’s upload is refused by it, not by a line of the integrator': [true, false, false],
};
