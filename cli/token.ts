import { randomBytes } from 'node:crypto';
import { Command, Option } from 'commander';
import type { TokenKeys } from '../services/domain/admission-token.ts';
import type { Around } from './environment.ts';
import { type ClusterOptions, clusterOptions, inNamespace, meansCluster } from './kube/place.ts';
import { clusterSale, type EventName, type KnownSale } from './kube/sale.ts';
import { TOKENS_MAX } from './limits.ts';
import { baseUrl, buyerArgument, eventArgument, releaseNamespaceOption, wholeNumber } from './options.ts';
import { readSale } from './sale.ts';
import { recordedSale, requireEndpoints, requireTokenKeys, stateOption } from './state.ts';
import { admit } from './tokens.ts';

interface TokenOptions extends ClusterOptions {
  releaseNamespace?: string;
  count: number;
  buyer?: string;
  state: string;
  url?: string;
}

const EXAMPLES = `
Tokens are valid from now until 15 minutes after the end of the sale. They are signed with the keys in the state folder, or
of a cluster with those in the Secret of its release: who may read that may sell to anybody.

Exit codes: 0 printed, 1 the platform or the event is not there, 2 wrong options.

Examples:
  $ seckill token shop/phone-x                      a token of one new buyer
  $ seckill token shop/phone-x --count 100 > tokens.jsonl
  $ seckill token shop/phone-x --buyer alice        one of a buyer of your choice
  $ kubectl seckill token -n shop phone-x           for an event of a cluster`;

export function tokenCommand(around: Around): Command {
  const command = new Command('token')
    .description('mints admission tokens for tests: one JSON line {"buyer","token"} each')
    .argument('<event>', 'NAMESPACE/NAME of the event', eventArgument)
    .option('--count <n>', 'how many', wholeNumber(1, TOKENS_MAX, 100), 1)
    .option('--buyer <id>', 'mint all of them for this buyer; by default each is for a new one', buyerArgument)
    .addOption(stateOption());
  for (const option of clusterOptions()) command.addOption(option);
  return command
    .addOption(releaseNamespaceOption())
    .addOption(
      new Option('--url <url>', 'ask the sale at this base URL; by default the state folder is read')
        .argParser(baseUrl)
        .conflicts(['kubeconfig', 'context', 'namespace', 'releaseNamespace']),
    )
    .option('--json', 'accepted like everywhere: the output is JSON lines in any case')
    .addHelpText('after', EXAMPLES)
    .action(async (event: EventName, options: TokenOptions, self: Command) => {
      const hostMeant = options.url !== undefined || self.getOptionValueSource('state') === 'cli';
      const inCluster = meansCluster(options, around, hostMeant);
      const { sale, keys } = inCluster
        ? await clusterSale(inNamespace(event, options), options, around.environment())
        : { sale: await hostSale(event, options), keys: requireTokenKeys(options.state) };
      mint(sale, keys, options);
    });
}

async function hostSale(event: EventName, options: TokenOptions): Promise<KnownSale> {
  const recorded = options.url === undefined ? await recordedSale(options.state, event) : undefined;
  return recorded ?? (await readSale(options.url ?? (await requireEndpoints(options.state)).sale, event));
}

function mint(sale: KnownSale, keys: TokenKeys, options: TokenOptions): void {
  const name = options.buyer === undefined ? { prefix: randomBytes(4).toString('hex') } : { buyer: options.buyer };
  const admitted = admit(keys, sale, { count: options.count, nowMs: Date.now(), ...name });
  process.stdout.write(admitted.map((line) => `${JSON.stringify(line)}\n`).join(''));
}
