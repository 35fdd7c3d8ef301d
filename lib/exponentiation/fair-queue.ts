/** Jobs that wait, served in turn by address: as many addresses wait, as many jobs pass before an address's next one. */
export class FairQueue<Job> {
  readonly #queues = new Map<string, Set<Job>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** How many jobs of an address wait. */
  sizeOf(address: string): number {
    return this.#queues.get(address)?.size ?? 0;
  }

  push(address: string, job: Job): void {
    const queue = this.#queues.get(address) ?? new Set();
    this.#queues.set(address, queue.add(job));
    this.#size += 1;
  }

  /** Takes the next job; its address goes to the end of the line. */
  shift(): Job | undefined {
    for (const [address, queue] of this.#queues) {
      for (const job of queue) {
        this.remove(address, job);
        if (this.#queues.delete(address) && queue.size > 0) this.#queues.set(address, queue);
        return job;
      }
    }
    return undefined;
  }

  /** @returns whether the job was waiting */
  remove(address: string, job: Job): boolean {
    const queue = this.#queues.get(address);
    if (!queue?.delete(job)) return false;
    this.#size -= 1;
    if (queue.size === 0) this.#queues.delete(address);
    return true;
  }
}
