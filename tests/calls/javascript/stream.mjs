// Standard input as a stream, in a module with top-level await.
// stdin: one
// stdin: two
import { setTimeout as sleep } from 'node:timers/promises';
import fs, { existsSync } from 'node:fs';
import * as path from 'path';
let text = '';
process.stdin.setEncoding('utf8');
for await (const chunk of process.stdin) text += chunk;
console.log(text.trim().split('\n'), typeof fs.readFileSync === 'function', existsSync('/nowhere'), path.sep);
console.log(await sleep(2, 'slept'), this, typeof import.meta.url);
export const unused = 1;
