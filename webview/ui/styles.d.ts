/** A style that is bundled beside the page's script. */
declare module '*.css' {}
