/** The largest number of a port of TCP and UDP. */
export const maxPort = 65_535;
