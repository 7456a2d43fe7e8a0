/** The finalizer that keeps an event until its orders are settled. */
export const FINALIZER = 'seckill.io/settle';
/** With the value `true`: a deleted event is let go without being settled. */
export const ABANDON_ANNOTATION = 'seckill.io/abandon';
/** With the value `disabled`: the operator leaves the event alone. */
export const RECONCILE_ANNOTATION = 'seckill.io/reconcile';
/** With the value `now`: a running sale's pods take a new template at once, which otherwise waits for its end. */
export const UPDATE_ANNOTATION = 'seckill.io/update';
export const UPDATE_NOW = 'now';
