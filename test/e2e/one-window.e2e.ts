/** What can be tested in one window, one after the other. Each of them runs alone too. */
import './one-window/actions.ts';
import './one-window/completion.ts';
import './one-window/play.ts';
// Before what runs a task too: tasks that were run stand first in the list.
import './one-window/spec.ts';
import './one-window/serve.ts';
import './one-window/walkthrough.ts';
