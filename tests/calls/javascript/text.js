// Strings, regular expressions, numbers, dates.
console.log('abc'.padStart(5, '*'), 'abc'.padEnd(6, '12'), ' x '.trim() + '|', 'a-b-c'.replaceAll('-', '+'), 'aXbX'.split('X'), 'abc'.localeCompare('abd'), 'x'.repeat(3));
console.log('2024-03-15'.match(/(?<y>\d{4})-(?<m>\d\d)-(?<d>\d\d)/).groups.m, 'price: 30 or 40'.replace(/\d+/g, (n) => n * 2), [...'a1b22'.matchAll(/[a-z](\d+)/g)].map((m) => [m[1], m.index]));
console.log(/(?<=\$)\d+/.exec('cost $42')[0], /\p{Lu}\p{Ll}+/u.exec('das Haus')[0], 'aBc'.search(/[A-Z]/), /a.c/s.test('a\nc'), 'x'.match(/y/), /(\w+) \1/.test('hey hey'));
console.log('straße'.toUpperCase(), 'İ'.toLowerCase().length, 'é'.normalize('NFD').length, '😀'.length, [...'😀é'].length, '😀'.codePointAt(0), String.fromCodePoint(128512), 'ab'.charCodeAt(1));
console.log((255).toString(16), (0.1 + 0.2).toFixed(2), (1234.5678).toPrecision(6), (1e21).toString(), Number('0x1f'), parseInt('12px'), parseFloat('3.14abc'), Number(''), Number('1_000'), 0.1 + 0.2, 1 / 3, -1 / 0, 123456789012345680000);
console.log(Number.MAX_SAFE_INTEGER, Number.EPSILON > 0, 2 ** 53 + 1, 7 % -3, -7 % 3, 5 / 2 | 0, ~5, 1 << 31, 1 >>> 0, -1 >>> 28, 0b1010, 0o17, 1_000_000, (25).toString(2), (-1.5).toFixed(0), (1.005).toFixed(2));
console.log(2n ** 100n, BigInt('123456789012345678901234567890') % 97n, -7n / 2n, 5n > 4, typeof 1n, BigInt.asUintN(8, 257n), (123n).toString(36), 10n === 10n);
console.log(new Date(Date.UTC(2024, 1, 29, 12, 30, 45, 123)).toISOString(), new Date('2024-02-30T00:00:00Z').toJSON(), Date.parse('2024-01-01T00:00:00+02:00'), new Date(2024, 0, 31).getMonth(), new Date('invalid').getTime());
const day = new Date('2024-12-25T10:00:00Z');
day.setUTCDate(day.getUTCDate() + 10);
console.log(day.toISOString(), day.getUTCDay(), JSON.stringify({ day }), typeof Date.now(), Date.now() > 1.7e12);
console.log(JSON.stringify({ a: [1, { b: undefined, c: () => 1, d: null, e: NaN }], f: 'q"\n\u2028', g: new Map(), h: Symbol('x') }), JSON.stringify([undefined]), JSON.stringify({ a: 1, b: [1, 2] }, null, 2), JSON.stringify('\ud800'));
console.log(JSON.parse('{"a":[1,2,{"b":null}]}', (k, v) => (typeof v === 'number' ? v + 1 : v)), JSON.stringify({ a: 1, b: 2, c: 3 }, ['a', 'c']), JSON.stringify({ toJSON() { return 'custom'; } }));
console.log(encodeURIComponent('ä &/?'), decodeURIComponent('%F0%9F%98%80'), escape('ü'), encodeURI('a b/ü?x=1'), isNaN('x'), Number.isInteger(5.0), Math.round(-0.5), Math.sign(-3), Math.trunc(-4.7), Math.cbrt(27), Math.hypot(3, 4), Math.log2(8), Math.fround(5.5), Math.clz32(1));
console.log(String.raw`a\n${1}`, ((s, ...v) => s.join('|') + v.join(','))`x${1}y${2}z`, 'a\u0062\x63', 'multi\
line', `tem${'pl' + `at${'e'}`}`);
