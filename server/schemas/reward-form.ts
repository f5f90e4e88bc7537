/** What was meant by a reward in another form: several names beside each other, a name as a value, weights by name. */

const nameKeys = ['name', 'type', 'kind', 'reward'];

type Settings = Readonly<Record<string, unknown>>;

const isSettings = (value: unknown): value is Settings =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `{ name: length, max: 12 }` as `{ length: { max: 12 } }`. */
function unnamed(value: unknown, names: readonly string[]): unknown {
  if (!isSettings(value)) return value;
  const key = nameKeys.find((each) => names.includes(value[each] as string));
  if (key === undefined) return value;
  const { [key]: name, ...rest } = value;
  return Object.keys(rest).length === 0 ? name : { [name as string]: rest };
}

/** An entry of a sum. */
function term(value: unknown, names: readonly string[]): unknown {
  if (!isSettings(value)) return { reward: value };
  const { weight, ...own } = value;
  const weighted = (reward: unknown) => ({ reward, ...(weight === undefined ? {} : { weight }) });
  if (isSettings(own.reward) || (typeof own.reward === 'string' && Object.keys(own).length === 1)) return value;
  const [[name, only] = [], ...others] = Object.entries(own);
  if (name !== undefined && others.length === 0 && typeof only === 'number' && names.includes(name))
    return { reward: name, weight: only };
  return weighted(unnamed(own, names));
}

/** Rewards that may have been meant, the likeliest first. */
export function rewardForms(value: unknown, names: readonly string[]): unknown[] {
  const sum = (terms: readonly unknown[]) => [{ sum: terms.map((each) => term(each, names)) }];
  if (Array.isArray(value)) return [...(value.length === 1 ? [value[0]] : []), ...sum(value)];
  if (!isSettings(value)) return [];
  const keys = Object.keys(value);
  if (keys.length === 1 && keys[0] === 'sum') {
    if (Array.isArray(value.sum)) return sum(value.sum);
    return isSettings(value.sum) ? sum(Object.entries(value.sum).map(([name, each]) => ({ [name]: each }))) : [];
  }
  const known = keys.filter((key) => key !== 'weight');
  if (keys.length > 1 && known.every((key) => names.includes(key)))
    return sum(
      known.map((key) => ({ [key]: value[key], ...(keys.includes('weight') ? { weight: value.weight } : {}) })),
    );
  const named = unnamed(value, names);
  return named === value ? [] : [named];
}
