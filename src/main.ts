/**
 * Starts the agent, the hub, or a command: `node src/main.ts merge ...`. The image has a bundle of each, so that the memory
 * of one does not hold the code of another.
 */
const [, , first] = process.argv;
const isCommand = first !== undefined && !first.startsWith('-');
await import(first === 'hub' ? './hub/main.ts' : isCommand ? './commands/main.ts' : './agent/main.ts');
