// Files: what a program does with its workspace.
const fs = require('fs');
const path = require('path');
const at = (...parts) => path.join('made', ...parts);
fs.mkdirSync(at('a', 'b'), { recursive: true });
fs.writeFileSync(at('one.txt'), 'first\n');
fs.appendFileSync(at('one.txt'), 'second\n');
fs.writeFileSync(at('a', 'data.json'), JSON.stringify({ n: 1 }));
fs.writeFileSync(at('a', 'b', 'bytes.bin'), new Uint8Array([0, 255, 10]));
console.log(fs.readFileSync(at('one.txt'), 'utf8'), fs.readFileSync(at('a/b/bytes.bin')), require(path.resolve(at('a', 'data.json'))));
console.log(fs.readdirSync('made'), fs.readdirSync('made', { withFileTypes: true }).map((e) => [e.name, e.isDirectory()]), fs.readdirSync('made', { recursive: true }).sort());
console.log(fs.existsSync(at('one.txt')), fs.existsSync('nothing'), fs.statSync(at('one.txt')).size, fs.statSync('made').isDirectory(), fs.statSync(at('one.txt')).mtime instanceof Date);
fs.renameSync(at('one.txt'), at('two.txt'));
fs.copyFileSync(at('two.txt'), at('three.txt'));
fs.unlinkSync(at('two.txt'));
for (const act of [() => fs.readFileSync('nothing'), () => fs.mkdirSync('made'), () => fs.readdirSync('nothing'), () => fs.rmdirSync('made'), () => fs.readFileSync('made'), () => fs.unlinkSync('nothing'), () => require('./nothing')]) {
  try { act(); } catch (e) { console.log(e.code, e.syscall, e.errno, e.message.split('\n')[0].replace(/'[^']*'/g, (n) => (n.includes('nothing') ? "'nothing'" : n))); }
}
const fd = fs.openSync(at('three.txt'), 'r+');
const buffer = Buffer.alloc(5);
console.log(fs.readSync(fd, buffer, 0, 5, 0), buffer.toString(), fs.writeSync(fd, 'FIRST', 0), fs.fstatSync(fd).size);
fs.closeSync(fd);
setTimeout(() => fs.readFile(at('three.txt'), 'utf8', (error, text) => {
  console.log(error, text);
  fs.promises.writeFile(at('four.txt'), 'promised').then(() => fs.promises.readFile(at('four.txt'), 'utf8')).then(console.log)
    .then(() => fs.promises.readFile('nothing')).catch((e) => console.log(e.code))
    .then(() => { fs.rmSync('made', { recursive: true }); console.log(fs.existsSync('made')); });
}), 50);
fs.writeFileSync('helper.js', 'exports.twice = (n) => n * 2; exports.name = __filename.split("/").pop();');
fs.writeFileSync('helper.mjs', 'export default 5; export const six = 6; import { twice } from "./helper.js"; export const ten = twice(5);');
console.log(require('./helper').twice(4), require('./helper.js').name, require('./helper') === require('./helper.js'));
import('./helper.mjs').then((m) => { console.log(m.default, m.six, m.ten, m); fs.unlinkSync('helper.js'); fs.unlinkSync('helper.mjs'); });
