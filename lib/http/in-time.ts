/**
 * Waits for an operation, and rejects when it takes too long; it may go on all the same.
 *
 * @param seconds how long it may take
 */
export async function inTime<T>(operation: Promise<T>, seconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the store did not answer in time')), seconds * 1000);
  });
  try {
    return await Promise.race([operation, late]);
  } finally {
    clearTimeout(timer);
  }
}
