// Standard input, all at once.
// stdin: alpha beta
// stdin: gamma alpha
const words = require('fs').readFileSync(0, 'utf8').split(/\s+/).filter(Boolean);
const counts = words.reduce((m, w) => m.set(w, (m.get(w) ?? 0) + 1), new Map());
console.log([...counts].sort(([a, x], [b, y]) => y - x || a.localeCompare(b)), process.argv.length);
