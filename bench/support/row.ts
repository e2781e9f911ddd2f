import type { Row } from '../figure.ts';
import { summary } from './statistics.ts';

/** A row of these values and their summary; throws when there is no value. */
export function rowOf(variant: string, parameter: string, values: readonly number[]): Row {
  return { variant, parameter, ...summary(values), values };
}
