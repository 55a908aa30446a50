// A window on node-postgres. It reads what it shall do from standard input, a line each; window.py says the words.
// Usage: STANDBY_FIRST=samples/clients/standby-first.js node window.js STRING
'use strict'

const readline = require('node:readline')
const { createRequire } = require('node:module')
const fs = require('node:fs')
const path = require('node:path')

// What npm has installed lies where we run, and not beside this file.
const need = createRequire(path.join(process.cwd(), 'window.js'))
const pg = need('pg')

const SIDE = "SELECT current_setting('port') AS port"
const CHARGE = "INSERT INTO op.charge (total, who) VALUES ($1, $2) RETURNING current_setting('port') AS port"
const TYPED = "SELECT 'cash'::op.pay AS pay, ROW('aspirin', 12.3456)::op.part AS part"
const OIDS = "SELECT 'op.part'::regtype::oid::int AS part"

const kept = new Map()
const heard = new Map()
let connections
let known

const Client = require(process.env.STANDBY_FIRST)(pg.Client)
const config = { connectionString: process.argv[2] }

async function open (name) {
  const client = new Client(config)
  // Without a listener, the end of an idle connection ends the whole program.
  client.on('error', error => { if (name) heard.set(name, error) })
  await client.connect()
  return client
}

async function charge (client, total, who) {
  return (await client.query(CHARGE, [total, who])).rows[0].port
}

async function committed (client, who) {
  await client.query('BEGIN')
  const port = await charge(client, 1, who)
  await client.query('COMMIT')
  return `committed on ${port}`
}

const parts = text => text.slice(1, -1).split(',')

const words = {
  async once (who) {
    const client = await open()
    try {
      return await committed(client, who)
    } finally {
      await client.end()
    }
  },
  async keep (name) {
    heard.delete(name)
    kept.set(name, await open(name))
    return words.ask(name)
  },
  async put (name, who) {
    await kept.get(name).query('BEGIN')
    await charge(kept.get(name), 1, who)
    return `not yet committed on ${await charge(kept.get(name), 2, who)}`
  },
  async wait (name) {
    await kept.get(name).query('SELECT pg_sleep(60)')
    return 'done'
  },
  async commit (name) {
    await kept.get(name).query('COMMIT')
    return 'committed'
  },
  async ask (name) {
    return `on ${(await kept.get(name).query(SIDE)).rows[0].port}`
  },
  async state (name) {
    return heard.has(name) ? `'error' event ${said(heard.get(name))}` : 'no event'
  },
  async typed () {
    const client = await open()
    try {
      if (!known) {
        known = (await client.query(OIDS)).rows[0].part
        pg.types.setTypeParser(known, parts)
      }
      const { pay, part } = (await client.query(TYPED)).rows[0]
      return JSON.stringify([pay, part])
    } finally {
      await client.end()
    }
  },
  async 'typed-own' () {
    const client = await open()
    try {
      client.setTypeParser((await client.query(OIDS)).rows[0].part, 'text', parts)
      const { pay, part } = (await client.query(TYPED)).rows[0]
      return JSON.stringify([pay, part])
    } finally {
      await client.end()
    }
  },
  async pool (who) {
    if (!connections) {
      connections = new pg.Pool({ ...config, Client, max: 1 })
      connections.on('error', () => {})
    }
    const client = await connections.connect()
    let error
    try {
      return await committed(client, who)
    } catch (e) {
      error = e
      throw e
    } finally {
      client.release(error)
    }
  }
}

function said (error) {
  // An error of several hosts has its reasons inside.
  const text = error.errors ? error.errors.map(e => e.message).join(' / ') : error.message
  return `${error.constructor.name} ${error.code || '-'} "${text.trim().split(/\n\s*/).join(' / ')}"`
}

function version (name) {
  return JSON.parse(fs.readFileSync(path.join('node_modules', name, 'package.json'))).version
}

async function serve () {
  console.log(`pg ${version('pg')}`)
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [verb, ...rest] = line.trim().split(' ')
    // What has happened to the connections meanwhile is heard first.
    await new Promise(resolve => setTimeout(resolve, 20))
    console.log(await words[verb](...rest).catch(error => `failed ${said(error)}`))
  }
  process.exit(0)
}

serve()
