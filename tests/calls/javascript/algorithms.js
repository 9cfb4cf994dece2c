// What people ask for: primes, sorting, a parser, dynamic programming, a graph.
const primes = (n) => { const s = new Uint8Array(n + 1).fill(1); s[0] = s[1] = 0; for (let i = 2; i * i <= n; i++) if (s[i]) for (let j = i * i; j <= n; j += i) s[j] = 0; return [...s.keys()].filter((i) => s[i]); };
console.log(primes(60), primes(100000).length);
const quick = ([p, ...r]) => (p === undefined ? [] : [...quick(r.filter((x) => x < p)), p, ...quick(r.filter((x) => x >= p))]);
console.log(quick([3, 6, 1, 8, 2, 9, 2]).join());
function evaluate(s) { const t = s.match(/\d+(\.\d+)?|[-+*/()]/g); let i = 0; const e = () => { let v = m(); while (t[i] === '+' || t[i] === '-') v = t[i++] === '+' ? v + m() : v - m(); return v; }; const m = () => { let v = p(); while (t[i] === '*' || t[i] === '/') v = t[i++] === '*' ? v * p() : v / p(); return v; }; const p = () => { if (t[i] === '(') { i++; const v = e(); i++; return v; } if (t[i] === '-') { i++; return -p(); } return Number(t[i++]); }; return e(); }
console.log(evaluate('2 * (3 + 4) - 10 / 4'), evaluate('-(1 + 2) * 3'));
const lcs = (a, b) => { const d = Array.from({ length: a.length + 1 }, () => new Array(b.length + 1).fill('')); for (let i = 1; i <= a.length; i++) for (let j = 1; j <= b.length; j++) d[i][j] = a[i - 1] === b[j - 1] ? d[i - 1][j - 1] + a[i - 1] : d[i - 1][j].length > d[i][j - 1].length ? d[i - 1][j] : d[i][j - 1]; return d[a.length][b.length]; };
console.log(lcs('AGGTAB', 'GXTXAYB'));
const graph = { a: { b: 1, c: 4 }, b: { c: 2, d: 5 }, c: { d: 1 }, d: {} };
function dijkstra(from) { const dist = Object.fromEntries(Object.keys(graph).map((k) => [k, Infinity])); dist[from] = 0; const todo = new Set(Object.keys(graph)); while (todo.size) { const u = [...todo].reduce((m, k) => (dist[k] < dist[m] ? k : m)); todo.delete(u); for (const [v, w] of Object.entries(graph[u])) dist[v] = Math.min(dist[v], dist[u] + w); } return dist; }
console.log(dijkstra('a'));
const hanoi = (n, a = 'A', b = 'B', c = 'C') => (n ? [...hanoi(n - 1, a, c, b), a + c, ...hanoi(n - 1, b, a, c)] : []);
console.log(hanoi(3), hanoi(10).length);
const queens = (n, row = 0, cols = [], out = []) => { if (row === n) out.push([...cols]); else for (let c = 0; c < n; c++) if (cols.every((k, r) => k !== c && Math.abs(k - c) !== row - r)) queens(n, row + 1, [...cols, c], out); return out; };
console.log(queens(6), queens(8).length);
let x = 12345; const random = () => (x = (x * 1103515245 + 12345) % 2147483648) / 2147483648;
const inside = Array.from({ length: 20000 }, () => random() ** 2 + random() ** 2 < 1).filter(Boolean).length;
console.log((4 * inside / 20000).toFixed(3));
const roman = (n) => [[1000, 'M'], [900, 'CM'], [500, 'D'], [400, 'CD'], [100, 'C'], [90, 'XC'], [50, 'L'], [40, 'XL'], [10, 'X'], [9, 'IX'], [5, 'V'], [4, 'IV'], [1, 'I']].reduce((s, [v, r]) => { while (n >= v) { s += r; n -= v; } return s; }, '');
console.log([1994, 2024, 49].map(roman), [...'racecar'].reverse().join('') === 'racecar', 'listen'.split('').sort().join('') === 'silent'.split('').sort().join(''));
const matrix = (a, b) => a.map((r) => b[0].map((_, j) => r.reduce((s, v, k) => s + v * b[k][j], 0)));
console.log(matrix([[1, 2], [3, 4]], [[5, 6], [7, 8]]), (function f(n) { return n < 2n ? 1n : n * f(n - 1n); })(30n));
let depth = 0; (function down() { depth++; if (depth < 1000) down(); })(); console.log(depth);
