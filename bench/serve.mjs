// @ts-check
/** The child's end of remote.mjs: a process that answers its parent's questions, until the parent has no more. */

/** @param {Readonly<Record<string, (payload: any) => unknown>>} tasks */
export function serve(tasks) {
  process.on('message', async (/** @type {{ task: string, payload: unknown }} */ { task, payload }) => {
    try {
      process.send?.({ result: await tasks[task](payload) });
    } catch (error) {
      process.send?.({ error: error instanceof Error ? error.message : String(error) });
    }
  });
  process.on('disconnect', () => process.exit());
}
