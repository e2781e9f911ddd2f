import packageJson from '../../../package.json' with { type: 'json' };

/** The version of this program: that of the package. */
export const clientVersion = packageJson.version;
