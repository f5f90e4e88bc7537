/** What the bundler makes of files that are no modules. */
declare module '*.css';

/** A script as text, bundled, to be started as a worker: pages may load no other file. */
declare module 'worker:*' {
  const source: string;
  export default source;
}
