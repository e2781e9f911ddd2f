/** The name that every container runtime gives to the Pod's interface. */
export const podInterface = 'eth0';
