// TypeScript: types go, enums and parameter properties stay.
enum Level { Low = 1, High, Custom = 'custom' as any }
const enum Flag { A = 1 << 0, B = 1 << 1, Both = A | B }
interface Shape { readonly kind: string; area(): number; }
type Named<T extends object = {}> = T & { name?: string };
abstract class Base implements Shape {
  abstract kind: string;
  protected static count = 0;
  constructor(private readonly id: number, public label: string = 'none') { Base.count++; }
  abstract area(): number;
  describe(this: Base): string { return `${this.kind} #${this.id} ${this.label} ${this.area().toFixed(2)}`; }
  static total(): number { return Base.count; }
}
class Circle extends Base {
  override kind = 'circle' as const;
  declare extra: string;
  constructor(id: number, private r: number) { super(id, 'round'); }
  area(): number { return Math.PI * this.r ** 2; }
}
function first<T>(list: readonly T[], fallback?: T): T | undefined { return list[0] ?? fallback; }
function overloaded(a: string): string;
function overloaded(a: number): number;
function overloaded(a: any): any { return a; }
const isText = (x: unknown): x is string => typeof x === 'string';
const map = new Map<string, Array<{ n: number }>>([['a', [{ n: 1 }]]]);
let maybe: Named<{ a: number }> | null = { a: 1, name: 'm' };
const value = maybe!.a as number;
const tuple = ['x', 1] satisfies [string, number];
declare const nowhere: number;
namespace OnlyTypes { export type T = number; }
console.log(Level, Level[2], Flag.Both, new Circle(1, 2).describe(), new Circle(2, 1), Base.total());
console.log(first<number>([]), first(['a']), overloaded('s'), isText(1), map.get('a')![0].n, value, tuple, typeof nowhere);
const generic = async <T,>(x: T): Promise<T> => x;
generic<string>('done').then((v: string) => console.log(v));
let unassigned: number
(function iife(this: void) { console.log(unassigned) })()
