import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { TOKENS_MAX } from './limits.ts';
import { baseUrl, buyerArgument, eventArgument, wholeNumber } from './options.ts';
import { readSale } from './sale.ts';
import { recordedSale, requireEndpoints, requireTokenKeys, stateOption } from './state.ts';
import { admit } from './tokens.ts';

interface TokenOptions {
  count: number;
  buyer?: string;
  state: string;
  url?: string;
}

const EXAMPLES = `
Tokens are valid from now until 15 minutes after the end of the sale. They are signed with the keys in the state folder.

Exit codes: 0 printed, 1 the platform or the event is not there, 2 wrong options.

Examples:
  $ seckill token shop/phone-x                      a token of one new buyer
  $ seckill token shop/phone-x --count 100 > tokens.jsonl
  $ seckill token shop/phone-x --buyer alice        one of a buyer of your choice`;

export function tokenCommand(): Command {
  return new Command('token')
    .description('mints admission tokens for tests: one JSON line {"buyer","token"} each')
    .argument('<event>', 'NAMESPACE/NAME of the event', eventArgument)
    .option('--count <n>', 'how many', wholeNumber(1, TOKENS_MAX, 100), 1)
    .option('--buyer <id>', 'mint all of them for this buyer; by default each is for a new one', buyerArgument)
    .addOption(stateOption())
    .option('--url <url>', 'ask the sale at this base URL; by default the state folder is read', baseUrl)
    .option('--json', 'accepted like everywhere: the output is JSON lines in any case')
    .addHelpText('after', EXAMPLES)
    .action(mint);
}

async function mint(event: { namespace: string; name: string }, options: TokenOptions): Promise<void> {
  const recorded = options.url === undefined ? await recordedSale(options.state, event) : undefined;
  const sale = recorded ?? (await readSale(options.url ?? (await requireEndpoints(options.state)).sale, event));
  const keys = requireTokenKeys(options.state);
  const name = options.buyer === undefined ? { prefix: randomBytes(4).toString('hex') } : { buyer: options.buyer };
  const admitted = admit(keys, sale, { count: options.count, nowMs: Date.now(), ...name });
  process.stdout.write(admitted.map((line) => `${JSON.stringify(line)}\n`).join(''));
}
