// Errors: kinds, causes, stacks, what assert says.
const assert = require('assert');
const said = (act) => { try { act(); return 'nothing'; } catch (e) { return `${e.name}: ${e.message}`; } };
console.log(said(() => null.x !== undefined) !== 'nothing', said(() => undefinedName), said(() => { const c = 1; c = 2; }).split(':')[0], said(() => { throw new SyntaxError('own'); }));
console.log(said(() => new Array(-1)).split(':')[0], said(() => (1).toFixed(101)).split(':')[0], said(() => decodeURIComponent('%')).split(':')[0], said(() => JSON.parse('{')).split(':')[0], said(() => 1n + 1).split(':')[0], said(() => Symbol() + '').split(':')[0]);
class NotFound extends Error { constructor(id) { super(`no ${id}`); this.name = 'NotFound'; this.id = id; } }
const wrapped = new Error('outer', { cause: new NotFound(7) });
console.log(wrapped.cause instanceof NotFound, wrapped.cause.message, String(wrapped.cause), wrapped.cause.id, Object.keys(wrapped.cause), wrapped.stack.split('\n')[0], typeof new Error().stack);
const many = new AggregateError([new Error('a'), new TypeError('b')], 'both');
console.log(many.errors.map(String), many.message, Object.prototype.toString.call(many), many instanceof Error);
console.log(said(() => assert.strictEqual(1, 2)), '|', said(() => assert.deepStrictEqual({ a: 1 }, { a: 1 })), '|', said(() => assert(0, 'falsy')), '|', said(() => assert.equal(1, '1')));
assert.deepStrictEqual({ a: [1, { b: new Map([[1, new Set([2])]]) }], d: new Date(0), r: /x/g }, { a: [1, { b: new Map([[1, new Set([2])]]) }], d: new Date(0), r: /x/g });
assert.notDeepStrictEqual([1, 2], [1, '2']);
assert.deepEqual([1, 2], [1, '2']);
assert.throws(() => { throw new TypeError('wrong'); }, TypeError);
assert.throws(() => { throw new Error('regex'); }, /reg/);
assert.throws(() => { throw new NotFound(1); }, { name: 'NotFound', id: 1 });
setTimeout(() => assert.rejects(async () => { throw new Error('later'); }, /later/).then(() => console.log('rejects')), 9);
assert.match('abc', /b/);
try { assert.deepStrictEqual([1, 2, 3], [1, 2, 4]); } catch (e) { console.log(e.code, e.actual, e.expected, e.operator); }
Promise.allSettled([Promise.resolve(1), Promise.reject(new Error('no'))]).then((r) => console.log(r.map((x) => x.status), r[1].reason.message));
Promise.any([Promise.reject(1), Promise.resolve(2)]).then((v) => console.log('any', v));
Promise.race([new Promise((r) => setTimeout(r, 5, 'slow')), 'fast']).then((v) => console.log('race', v));
(async () => { try { await Promise.reject(new Error('awaited')); } catch (e) { console.log('caught', e.message); } finally { console.log('finally'); } })();
new Promise((_, reject) => reject(new Error('x'))).catch((e) => e.message).then(console.log);
