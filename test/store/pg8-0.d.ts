declare module 'pg8-0' {
  export { Pool } from 'pg';
}
