/**
 * What Node is started with for a seckill process, wherever it runs. A purchase leaves only short-lived objects behind;
 * left to itself Node gives them three spaces of up to 32 MB, and a process under load grows to 250 MiB instead of 150,
 * at the same CPU time a request. The flag works on the command line or in NODE_OPTIONS only, not from inside.
 */
export const POD_NODE_FLAGS: readonly string[] = ['--max-semi-space-size=8'];
