/**
 * Waits for an operation, and rejects when it takes too long; it may go on all the same.
 *
 * @param seconds how long it may take
 */
export function inTime<T>(operation: Promise<T>, seconds: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error('the store did not answer in time'));
    const timer = setTimeout(late, seconds * 1000);
    operation.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
