/** A time as Kubernetes writes it in objects (metav1.Time, RFC 3339): in whole seconds. `epochMs` is rounded down. */
export function objectTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
}
