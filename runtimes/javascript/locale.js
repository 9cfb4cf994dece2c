// `toLocaleString` of numbers and dates, in the one locale that is here, en-US. Another locale
// or an option that is not known is refused, because its output would be wrong.
(function (host) {
  const NUMBER_OPTIONS = ['style', 'currency', 'minimumFractionDigits', 'maximumFractionDigits', 'useGrouping'];
  const DATE_OPTIONS = ['weekday', 'year', 'month', 'day', 'hour', 'minute', 'second', 'hour12', 'timeZone'];
  const SIGNS = { USD: '$', EUR: '€', GBP: '£', JPY: '¥', INR: '₹' };
  const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
  const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];

  function check(locale, options, known) {
    const first = Array.isArray(locale) ? locale[0] : locale;
    if (first !== undefined && first !== 'en-US' && first !== 'en') throw host.unavailable(`the locale '${first}'`);
    for (const name of Object.keys(options)) if (!known.includes(name)) throw host.unavailable(`the option '${name}' of toLocaleString`);
  }

  const grouped = (digits) => digits.replace(/\B(?=(\d{3})+$)/g, ',');

  function rounded(value, low, high) {
    const [whole, fraction = ''] = Math.abs(value) < 1e21 ? Math.abs(value).toFixed(high).split('.') : [BigInt(Math.abs(value)).toString()];
    return [whole, fraction.replace(/0+$/, '').padEnd(low, '0')];
  }

  function numberText(value, locale, options = {}) {
    check(locale, options, NUMBER_OPTIONS);
    const { style = 'decimal', currency, useGrouping = true } = options;
    if (Number.isNaN(value)) return 'NaN';
    const usual = style === 'currency' ? (currency === 'JPY' ? [0, 0] : [2, 2]) : style === 'percent' ? [0, 0] : [0, 3];
    const low = options.minimumFractionDigits ?? Math.min(usual[0], options.maximumFractionDigits ?? Infinity);
    const high = options.maximumFractionDigits ?? Math.max(low, usual[1]);
    const shown = style === 'percent' ? value * 100 : value;
    const [whole, fraction] = Number.isFinite(shown) ? rounded(shown, low, high) : ['∞', ''];
    const sign = value < 0 || Object.is(value, -0) ? '-' : '';
    const mark = style === 'currency' ? SIGNS[currency] ?? `${currency}\u00a0` : '';
    return `${sign}${mark}${useGrouping ? grouped(whole) : whole}${fraction ? `.${fraction}` : ''}${style === 'percent' ? '%' : ''}`;
  }

  const two = (number) => String(number).padStart(2, '0');

  function named(names, index, how) {
    return how === 'long' ? names[index] : names[index].slice(0, 3);
  }

  function dateText(date, { weekday, year, month, day }) {
    const isNamed = month === 'long' || month === 'short';
    const y = year === '2-digit' ? two(date.getUTCFullYear() % 100) : date.getUTCFullYear();
    const d = day === '2-digit' ? two(date.getUTCDate()) : date.getUTCDate();
    const m = isNamed ? named(MONTHS, date.getUTCMonth(), month) : month === '2-digit' ? two(date.getUTCMonth() + 1) : date.getUTCMonth() + 1;
    const lead = weekday ? named(DAYS, date.getUTCDay(), weekday) : '';
    const parts = [month && m, day && d].filter((part) => part !== undefined);
    const rest = isNamed ? parts.join(' ') + (year ? `${day ? ',' : ''}${parts.length ? ' ' : ''}${y}` : '') : [...parts, ...(year ? [y] : [])].join('/');
    return [lead, rest].filter((part) => part !== '').join(', ');
  }

  function timeText(date, { hour, minute, second, hour12 = true }) {
    const hours = date.getUTCHours();
    const h = hour12 ? hours % 12 || 12 : hours;
    const shown = [hour && (hour === '2-digit' || !hour12 ? two(h) : h), minute && two(date.getUTCMinutes()), second && two(date.getUTCSeconds())];
    return shown.filter((part) => part !== undefined).join(':') + (hour12 && hour ? ` ${hours < 12 ? 'AM' : 'PM'}` : '');
  }

  const DATE = { year: 'numeric', month: 'numeric', day: 'numeric' };
  const TIME = { hour: 'numeric', minute: '2-digit', second: '2-digit' };

  function moment(date, locale, options = {}, usual) {
    check(locale, options, DATE_OPTIONS);
    if (Number.isNaN(date.getTime())) return 'Invalid Date';
    if (options.timeZone && options.timeZone !== 'UTC') throw host.unavailable(`the time zone '${options.timeZone}'`);
    const asked = Object.keys(options).filter((name) => name !== 'hour12' && name !== 'timeZone');
    const how = asked.length > 0 ? options : { ...usual, ...options };
    const parts = [];
    if (how.weekday || how.year || how.month || how.day) parts.push(dateText(date, how));
    if (how.hour || how.minute || how.second) parts.push(timeText(date, how));
    return parts.join(how.month === 'long' ? ' at ' : ', ');
  }

  host.define(Number.prototype, {
    toLocaleString(locale, options) {
      return numberText(Number.prototype.valueOf.call(this), locale, options);
    },
  });
  host.define(BigInt.prototype, {
    toLocaleString(locale, options = {}) {
      check(locale, options, NUMBER_OPTIONS);
      return BigInt.prototype.toString.call(this).replace(/\d+/, grouped);
    },
  });
  host.define(Date.prototype, {
    toLocaleString(locale, options) {
      return moment(this, locale, options, { ...DATE, ...TIME });
    },
    toLocaleDateString(locale, options) {
      return moment(this, locale, options, DATE);
    },
    toLocaleTimeString(locale, options) {
      return moment(this, locale, options, TIME);
    },
  });
})
