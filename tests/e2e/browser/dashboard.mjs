// dashboard.mjs: the dashboard in a browser, against services of its own. Prints TAP.
//
// BASE, RUN_DIR, SERVICE  the service, its folder, and the program that stops and starts it
// MANY, LOCKED, TOKEN     others, see fixture.mjs
// ADMIN                   its token to delete with

import { finish } from './harness.mjs';
import { fill } from './fixture.mjs';

await fill();
// One after the other: they share the services, and live.mjs stops one.
for (const subject of ['format', 'overview', 'chart', 'live', 'service', 'send', 'everywhere', 'edges'])
    await import(`./${subject}.mjs`);
await finish();
