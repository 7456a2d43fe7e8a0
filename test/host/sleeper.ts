import { createServer } from 'node:http';

/** A process that is ready when it listens; deaf to SIGTERM, unready or dead at once when told so. */
const [port = process.env['SECKILL_PORT'], mode = ''] = process.argv.slice(2);

if (mode === 'dies') process.exit(3);
process.on('SIGTERM', () => {
  if (mode !== 'deaf') process.exit(0);
});
createServer((_request, response) => response.writeHead(mode === 'unready' ? 503 : 200).end()).listen(
  Number(port),
  '127.0.0.1',
);
