/** Runs a native job of an open model when there is a thread for it; rejects with `ERR_DISPOSED` once it is closed. */
export type RunJob = <Value>(job: () => Promise<Value>) => Promise<Value>
