// The standby first, for node-postgres (`pg`), which knows one host and no target_session_attrs.
//
//   const { Client, Pool } = require('pg')
//   const StandbyFirst = require('./standby-first')(Client)
//   const pool = new Pool({ Client: StandbyFirst, connectionString: 'postgresql://his_app@standby:5432,primary:5432/his' })
//
// A new connection goes to the first host that takes writes. Hosts are asked in turn and never at once, since the order
// is what keeps windows from working on both sides; and the connection is asked again when it stands, for the side may
// have closed in between. Nothing is kept: the next connection asks anew.
'use strict'

const PATIENCE_MILLISECONDS = 2000

/** A subclass of `pg`'s Client whose connection string may name several hosts. */
module.exports = function standbyFirst (Client) {
  const writable = async client => {
    const { rows } = await client.query('SHOW transaction_read_only')
    return rows[0].transaction_read_only === 'off'
  }

  /** Whether a host takes writes; throws when it does not answer in time. */
  async function ask (config) {
    const client = new Client(config)
    client.on('error', () => {})
    try {
      await client.connect()
      return await writable(client)
    } finally {
      client.end().catch(() => {})
    }
  }

  return class StandbyFirst extends Client {
    constructor (config) {
      const [hosts, each] = split(config.connectionString)
      // The limit is for all that comes before the first answer, so that a server that stands still is passed over.
      const limits = { connectionTimeoutMillis: PATIENCE_MILLISECONDS, keepAlive: true }
      const configs = hosts.map(host => ({ ...limits, ...config, connectionString: each(host) }))
      super(configs[0])
      this.configs = configs
    }

    connect (callback) {
      const connected = this.find()
      if (!callback) return connected
      connected.then(() => callback(null), callback)
    }

    async find () {
      const config = await this.choose()
      this.lead(config)
      await super.connect()
      if (await writable(this)) return
      await this.end()
      throw new Error(`${place(config)} closed just now`)
    }

    /** The first host that takes writes. */
    async choose () {
      const errors = []
      for (const config of this.configs) {
        try {
          if (await ask({ ...config, query_timeout: PATIENCE_MILLISECONDS })) return config
          errors.push(new Error(`${place(config)} is read-only`))
        } catch (error) {
          errors.push(error)
        }
      }
      throw new AggregateError(errors, 'no host takes writes')
    }

    /** Points this client, which has not connected yet, at a host. */
    lead (config) {
      const { host, port } = new Client(config)
      Object.assign(this, { host, port })
      Object.assign(this.connectionParameters, { host, port })
    }
  }
}

/** The hosts of a connection string, and the string for one of them. */
function split (string) {
  const [, before, hosts, after] = /^(\w+:\/\/(?:[^@/]*@)?)([^/?]*)(.*)$/.exec(string)
  return [hosts.split(','), host => before + host + after]
}

function place (config) {
  return split(config.connectionString)[0][0]
}
