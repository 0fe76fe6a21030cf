// Starts one server for all tests, and puts its address and files into the environment.
import { start } from './server.mjs';

export default async function setup() {
  const server = await start({ databaseUrl: process.env.LATCHKEY_TEST_POSTGRES });
  process.env.LATCHKEY_URL = server.url;
  process.env.LATCHKEY_DATABASE = server.database;
  process.env.LATCHKEY_FOLDER = server.folder;
  return server.stop;
}
