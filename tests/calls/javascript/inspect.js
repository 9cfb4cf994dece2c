// How values are shown.
class Point { constructor(x, y) { this.x = x; this.y = y; } get length() { return Math.hypot(this.x, this.y); } static origin = 0; }
class Point3 extends Point {}
const circular = { name: 'loop', list: [1, 2] };
circular.self = circular;
circular.list.push(circular);
console.log(1, 'text', -0, 10n, null, undefined, true, Symbol('mark'));
console.log([1, 'a', [2, [3, [4, [5]]]]], { a: { b: { c: { d: 1 } } } });
console.log(new Point(3, 4), [new Point3(1, 2)], Point, Point3, class {}, () => 1, async function later() {}, function* gen() {});
console.log(new Map([['k', { v: 1 }], [{ o: 1 }, [1]]]), new Set([1, 'two', [3]]), new WeakSet(), new Map(), new Set());
console.log(circular);
console.log([, 1, , , 2], [undefined, null], Array(3), Object.assign([1, 2], { extra: true }));
console.log(Object.create(null), Object.create(Point.prototype), Object.create({ inherited: 1 }), new (class extends Array {})(3));
console.log({ 'with-dash': 1, valid_name: 2, 3: 'three', [Symbol('s')]: 4, get g() { return 1; }, set g(v) {}, set only(v) {} });
console.log(new Date(0), [new Date(86400000)], /re+g/gi, [/x/], new Error('shown').message);
console.log(Promise.resolve(1), Promise.reject(2).catch(() => {}) && 0, new Proxy({ p: 1 }, {}), new Number(1), new String('s'), [new Boolean(false)]);
console.log(new Uint8Array([1, 2, 3]), new Float64Array(2), new ArrayBuffer(4), Buffer.from('bytes'), new DataView(new ArrayBuffer(1)));
console.log(Array.from({ length: 120 }, (_, i) => i * 7), Array.from({ length: 30 }, (_, i) => 'item' + i));
console.log(["it's", 'say "hi"', `both ' and "`, 'line\nbreak', 'tab\t', '\u0007', '\u{1f600}', 'ü', '\\']);
console.log({ long: 'x'.repeat(90), other: 'y'.repeat(20), nested: { deep: 'z'.repeat(60), list: ['a'.repeat(30), 'b'.repeat(30)] } });
console.log([{ id: 1, name: 'one', tags: ['a', 'b'] }, { id: 2, name: 'two', tags: [] }, { id: 3, name: 'three', tags: ['c'] }]);
console.log([[1, 2, 3], [4, 5, 6], [7, 8, 9]], [['a', 1], ['b', 2]], [[]], [{}], {});
console.log([1.5, 22.25, 333.125, -4, 5e21, 1e-7, NaN, Infinity], [true, false, true, false, true, false, true]);
console.log({ f() {}, g: function () {}, h: () => {}, k: class K {}, Math, JSON }, [Math.max], globalThis === global);
console.log('%s|%d|%i|%f|%j|%o|%O|%%|%c|%x', 'str', '42.5', 42.9, '1.5', { a: 1 }, [1], { b: { c: {} } }, 'css', 'rest', { more: true });
console.log('a\nb', ['a\nb'], { text: 'first line of a long text\nsecond line of a long text that goes on and on\nthird' });
