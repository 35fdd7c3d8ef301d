/**
 * Waits for an operation, and rejects when it takes too long; it may go on all the same.
 *
 * @param seconds how long it may take
 * @param onLate gets what arrives after that
 */
export function inTime<T>(operation: Promise<T>, seconds: number, onLate?: (value: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      reject(new Error(`no answer within ${seconds} s`));
    }, seconds * 1000);
    operation
      .then((value) => (isLate ? onLate?.(value) : resolve(value)), reject)
      .finally(() => clearTimeout(timer));
  });
}
