/** What a run was started with. */

export type ConfigValue = string | number | boolean | null | readonly ConfigValue[] | { readonly [name: string]: ConfigValue | undefined };
export interface Config {
  readonly [name: string]: ConfigValue | undefined;
}
