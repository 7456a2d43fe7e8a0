import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

// Tells everybody at once that he holds a unit; run as a process of its own by scripted-server.ts.
let held = 0;
const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    held += 1;
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ reservationId: `r${held}`, units: 1, state: 'held' }));
  });
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('disconnect', () => process.exit());
