/** The little that the tests need of luaparse, which brings no types: nodes are looked at one by one. */
declare module 'luaparse' {
  export interface LuaNode {
    type: string;
    [property: string]: unknown;
  }
  interface LuaParseOptions {
    luaVersion?: '5.1';
    comments?: boolean;
    encodingMode?: 'none' | 'x-user-defined' | 'pseudo-latin1';
    onCreateNode?: (node: LuaNode) => void;
  }
  function parse(code: string, options?: LuaParseOptions): LuaNode;
  const luaparse: { parse: typeof parse };

  // biome-ignore lint/style/noDefaultExport: luaparse is CommonJS, and this is how Node imports it.
  export default luaparse;
}
