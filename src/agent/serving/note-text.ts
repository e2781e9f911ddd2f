import { join } from 'node:path';

/** A note about files in that folder, as readers elsewhere get it: where the Node has the folder is none of their business. Pure. */
export function withoutFolder(note: string, folder: string): string {
  return note.replaceAll(join(folder, '/'), '');
}
