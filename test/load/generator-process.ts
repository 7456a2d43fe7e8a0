import { type LoadPlan, runLoad } from '../../cli/load/run.ts';

// Plays one plan in a process of its own, which a test can stop and continue by signals.
process.once('message', async (plan) => {
  const result = await runLoad(plan as LoadPlan, {
    signal: new AbortController().signal,
    onProgress: ({ started }) => process.send?.({ started }),
  });
  process.send?.({ result }, () => process.disconnect());
});
