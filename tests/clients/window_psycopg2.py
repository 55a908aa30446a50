"""A window on psycopg 2."""

import sys

import psycopg2
import psycopg2.pool
from psycopg2.extras import register_composite
from window import CHARGE, SIDE, TYPED, WORK, serve


class Window:
    Error = psycopg2.Error

    def __init__(self, string):
        self.string, self.kept, self.known, self.connections = string, {}, False, None

    def versions(self):
        return f"psycopg2 {psycopg2.__version__.split()[0]}, libpq {psycopg2.__libpq_version__ // 10000}"

    def sqlstate(self, error):
        return error.pgcode

    def charge(self, connection, total, who):
        with connection.cursor() as cursor:
            cursor.execute(CHARGE, (total, who))
            return cursor.fetchone()[0]

    def once(self, who):
        connection = psycopg2.connect(self.string)
        port = self.charge(connection, 1, who)
        connection.commit()
        connection.close()
        return f"committed on {port}"

    def keep(self, name):
        self.kept[name] = psycopg2.connect(self.string)
        return self.ask(name)

    def put(self, name, who):
        for total in (1, 2):
            port = self.charge(self.kept[name], total, who)
        return f"not yet committed on {port}"

    def wait(self, name):
        with self.kept[name].cursor() as cursor:
            cursor.execute(WORK)
        return "done"

    def commit(self, name):
        self.kept[name].commit()
        return "committed"

    def ask(self, name):
        with self.kept[name].cursor() as cursor:
            cursor.execute(SIDE)
            port = cursor.fetchone()[0]
        self.kept[name].commit()
        return f"on {port}"

    def state(self, name):
        return f"closed {self.kept[name].closed}"

    def read(self, everywhere):
        connection = psycopg2.connect(self.string)
        if not (everywhere and self.known):
            register_composite("op.part", connection, globally=everywhere)
            self.known = self.known or everywhere
        with connection.cursor() as cursor:
            cursor.execute(TYPED)
            row = cursor.fetchone()
        connection.close()
        return repr(row)

    def typed(self):
        return self.read(True)

    def typed_own(self):
        return self.read(False)

    def pool(self, who):
        self.connections = self.connections or psycopg2.pool.SimpleConnectionPool(1, 1, self.string)
        connection = self.connections.getconn()
        try:
            port = self.charge(connection, 1, who)
            connection.commit()
        finally:
            # The pool throws away by itself what is closed, and only that.
            self.connections.putconn(connection)
        return f"committed on {port}"


serve(Window(sys.argv[1]))
