import { plainText } from '../../base/plain-text.ts';
import { exitCodes } from '../../commands/terminal.ts';
import { CommandFailure } from '../cli-command.ts';

/** kubectl did not get through to the API server: it is down, or restarts, or the login failed. */
export class UnreachableServer extends CommandFailure {
  /** `why`: the words of kubectl. */
  constructor(why: string) {
    super(`kubectl cannot reach the API server: ${plainText(why.trim())}`, exitCodes.failed);
  }
}
