/** A span of time in words. */

const units = [
  { name: 's', seconds: 1, until: 90 },
  { name: 'min', seconds: 60, until: 90 * 60 },
  { name: 'h', seconds: 3600, until: 48 * 3600 },
  { name: 'days', seconds: 86_400, until: Number.POSITIVE_INFINITY },
] as const;

const round = (value: number): string => (value < 10 ? String(Math.round(value * 2) / 2) : String(Math.round(value)));

/** "20 to 80 s", "3 to 9 min"; the unit is that of the longer time. @param span in seconds */
export function timeText({ low, high }: { readonly low: number; readonly high: number }): string {
  if (high < 2) return 'a moment';
  const { name, seconds } = units.find(({ until }) => high < until) ?? units[3];
  const [from, to] = [round(low / seconds), round(high / seconds)];
  return from === '0' ? `up to ${to} ${name}` : from === to ? `${to} ${name}` : `${from} to ${to} ${name}`;
}
