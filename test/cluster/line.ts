import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy that can swallow all bytes while every connection stays open, as a broken router or firewall does. */
export class Line {
  readonly #server: Server;
  readonly #near = new Set<Socket>();
  #dead = new WeakSet<Socket>();
  #isDead = false;

  private constructor(target: number) {
    this.#server = createServer((near) => {
      this.#near.add(near);
      near.once('close', () => this.#near.delete(near));
      near.on('error', () => {});
      if (this.#isDead) this.#dead.add(near);
      const far = connect(target, '127.0.0.1');
      far.on('error', () => near.destroy());
      far.on('close', () => this.#dead.has(near) || near.destroy());
      near.on('close', () => far.destroy());
      near.on('data', (data) => this.#dead.has(near) || far.write(data));
      far.on('data', (data) => this.#dead.has(near) || near.write(data));
    });
  }

  static async to(target: number): Promise<Line> {
    const line = new Line(target);
    line.#server.listen(0, '127.0.0.1');
    await once(line.#server, 'listening');
    return line;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on nothing arrives any more, in either direction, on connections that are there or come. */
  swallow(): void {
    this.#isDead = true;
    for (const near of this.#near) this.#dead.add(near);
  }

  /** New connections work again; those that were dead stay so. */
  mend(): void {
    this.#isDead = false;
  }

  async stop(): Promise<void> {
    for (const near of this.#near) near.destroy();
    this.#server.close();
  }
}
