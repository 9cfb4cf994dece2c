// Generators, iterators, async iteration, symbols, proxies, weak references.
function* count(to) { for (let i = 1; i <= to; i++) { const got = yield i; if (got) console.log('got', got); } return 'done'; }
const it = count(3);
console.log(it.next(), it.next('hi'), it.return('early'), it.next(), [...count(3)], Math.max(...count(4)));
function* tree(n) { if (n > 0) { yield* tree(n - 1); yield n; yield* tree(n - 1); } }
console.log([...tree(3)].join(' '), Array.from({ *[Symbol.iterator]() { yield 1; yield 2; } }));
const [first, , third = 'default', ...others] = count(2);
console.log(first, third, others);
async function* ticks(n) { for (let i = 0; i < n; i++) { await new Promise((r) => setTimeout(r, 1)); yield i; } }
(async () => {
  const seen = [];
  for await (const t of ticks(3)) seen.push(t);
  for await (const v of [Promise.resolve('a'), 'b']) seen.push(v);
  console.log(seen);
  const results = await Promise.all([1, 2, 3].map(async (n) => { await null; return n * 2; }));
  console.log(results);
})();
const seen = [];
const proxy = new Proxy({ a: 1 }, {
  get(t, k, r) { seen.push(`get ${String(k)}`); return Reflect.get(t, k, r); },
  has(t, k) { seen.push(`has ${k}`); return k in t; },
  set(t, k, v) { seen.push(`set ${k}`); t[k] = v; return true; },
  deleteProperty(t, k) { seen.push(`delete ${k}`); return delete t[k]; },
  ownKeys(t) { return [...Reflect.ownKeys(t), 'ghost']; },
  getOwnPropertyDescriptor(t, k) { return k === 'ghost' ? { value: 0, enumerable: true, configurable: true } : Reflect.getOwnPropertyDescriptor(t, k); },
});
proxy.b = proxy.a + 1;
delete proxy.a;
console.log('b' in proxy, Object.keys(proxy), seen);
const memo = (f, cache = new Map()) => (n) => cache.get(n) ?? (cache.set(n, f(n)), cache.get(n));
const fib = memo((n) => (n < 2 ? n : fib(n - 1) + fib(n - 2)));
console.log(fib(80), Symbol.for('x') === Symbol.for('x'), Symbol('d').description, typeof globalThis);
const m = new Map([['b', 1], ['a', 2]]);
console.log([...m.keys()], [...m].sort(), m.size, new Set([1, 2, 3]).has(2), [...new Set('hello')].join(''));
m.forEach((v, k) => console.log(k, v));
