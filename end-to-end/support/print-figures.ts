/** Prints what a fault test measured; docs/reliability.md quotes these figures. */
export function printFigures(what: string, figures: object): void {
  process.stdout.write(`${what}: ${JSON.stringify(figures)}\n`);
}
