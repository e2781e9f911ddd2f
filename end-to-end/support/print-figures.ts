/** Says what a test of faults measured: docs/reliability.md tells the figures. */
export function printFigures(what: string, figures: object): void {
  process.stdout.write(`${what}: ${JSON.stringify(figures)}\n`);
}
