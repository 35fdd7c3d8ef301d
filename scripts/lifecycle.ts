/** Scripts that npm runs by itself where a package is installed, packed or published; this one has none of them. */
export const LIFECYCLE: readonly string[] = [
  'preinstall',
  'install',
  'postinstall',
  'preprepare',
  'prepare',
  'postprepare',
  'prepublish',
  'prepublishOnly',
  'prepack',
  'postpack',
  'dependencies',
];
