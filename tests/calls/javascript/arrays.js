// Arrays and objects, as far as ES2023.
const people = [{ n: 'Zoe', a: 30 }, { n: 'Adam', a: 25 }, { n: 'Mia', a: 30 }];
console.log(people.toSorted((p, q) => q.a - p.a || p.n.localeCompare(q.n)), people.map((p) => p.n));
console.log([3, 1, 2].toSorted(), [1, 2, 3].toReversed(), [1, 2, 3].with(1, 9), [1, 2, 3, 4].toSpliced(1, 2, 'x'));
console.log([1, 2, 3, 4].findLast((n) => n % 2), [1, 2, 3].findLastIndex((n) => n > 5), [1, [2, [3, [4]]]].flat(2), [1, 2].flatMap((n) => [n, n * 10]));
console.log([1, 2, 3].at(-1), 'abc'.at(-2), [1, 2, 3].includes(2), [NaN].includes(NaN), [NaN].indexOf(NaN), Array.of(7), Array.from('abc', (c) => c + c));
console.log(people.reduce((m, p) => ({ ...m, [p.a]: [...(m[p.a] ?? []), p.n] }), {}), Object.fromEntries(people.map((p) => [p.n, p.a])));
console.log([10, 9, 1, 100].sort(), [10, 9, 1, 100].sort((a, b) => a - b), ['b', undefined, 'a'].sort(), [3, 2, 1].copyWithin(0, 1), new Array(3).fill(0));
console.log(Object.entries({ b: 1, a: 2, 1: 3 }), Object.keys('ab'), Object.getOwnPropertyDescriptor({ get x() { return 1; } }, 'x'), Object.is(-0, 0));
console.log([..."ab"].entries().next(), [...[1, 2].entries()], Math.max(...[1, 5, 3]), [[1, 2], [3]].map(([a, b = 0]) => a + b));
const frozen = Object.freeze({ a: 1, inner: { b: 2 } });
(function () { 'use strict'; try { frozen.a = 2; } catch (e) { console.log(e.constructor.name); } })();
frozen.inner.b = 3;
console.log(frozen, Object.isFrozen(frozen), Object.isSealed({}), Array.isArray([]), [1, 2, 3].join('-'), String([1, [2, 3]]), `${{}}`);
const big = Array.from({ length: 1000 }, (_, i) => (i * 7919) % 1000);
console.log(big.sort((a, b) => a - b).every((n, i) => n === i), big.slice(-3), big.lastIndexOf(5), big.some((n) => n > 999), big.reduceRight((a, b) => a + b));
console.log([0, 1, 2, 3, 4, 5].splice(1, 2), [1, 2, 3].indexOf(3), [5, 1].concat(2, [3, [4]]), Array.from(new Set([1, 1, 2])), Array.from({ length: 2 }));
