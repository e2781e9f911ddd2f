/**
 * Starts the agent, or a command: `node src/main.ts merge ...`. The image has a bundle of each, so that the agent's memory
 * does not hold the code of the commands.
 */
const [, , first] = process.argv;
const isCommand = first !== undefined && !first.startsWith('-');
await import(isCommand ? './commands/main.ts' : './agent/main.ts');
