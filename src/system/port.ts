import { once } from 'node:events';
import { createServer } from 'node:net';
import { isErrno } from './files.ts';

/**
 * Whether a TCP port can be opened now. It is opened and closed again, without waiting for a connection.
 * @param address undefined for all addresses; one that the host does not have yet counts as free
 */
export async function isPortFree(address: string | undefined, port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, ...(address === undefined ? {} : { host: address }) });
    await once(server, 'listening');
    return true;
  } catch (error) {
    if (isErrno(error, 'EADDRINUSE')) return false;
    if (isErrno(error, 'EADDRNOTAVAIL')) return true;
    throw error;
  } finally {
    server.close();
  }
}
