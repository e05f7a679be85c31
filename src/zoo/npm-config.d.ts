/** What the zoo uses of npm's own configuration reader, which ships no types. */
declare module '@npmcli/config' {
  export default class Config {
    constructor(options: object);
    load(): Promise<void>;
    /** All settings, as npm's libraries take them. */
    readonly flat: Record<string, unknown>;
  }
}

declare module '@npmcli/config/lib/definitions/index.js' {
  const parts: { definitions: object; shorthands: object; flatten: object; nerfDarts: readonly string[] };
  export default parts;
}
