// Standard input, line by line.
// stdin: 3
// stdin: 1 2
// stdin: 10 20
// stdin: -5 5
const readline = require('readline');
const rl = readline.createInterface({ input: process.stdin });
const lines = [];
rl.on('line', (line) => lines.push(line));
rl.on('close', () => {
  const [count, ...rest] = lines;
  for (let i = 0; i < +count; i++) { const [a, b] = rest[i].split(' ').map(Number); console.log(`Case ${i + 1}: ${a + b}`); }
});
