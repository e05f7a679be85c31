import { render } from 'preact';
import { App } from './app.tsx';
import { start } from './live.ts';

// The token has done its work; it need not stand where it is seen, kept or copied by mistake.
if (location.search !== '') history.replaceState(null, '', location.pathname);
start();
render(<App />, document.querySelector('#app')!);
