"""A window on psycopg 3 and its pool."""

import enum
import sys

import psycopg
import psycopg_pool
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum
from window import CHARGE, SIDE, TYPED, WORK, serve


class Pay(enum.Enum):
    CASH = "cash"
    CARD = "card"


def know(connection, where):
    register_enum(EnumInfo.fetch(connection, "op.pay"), where, Pay, mapping=[(Pay.CASH, "cash"), (Pay.CARD, "card")])
    register_composite(CompositeInfo.fetch(connection, "op.part"), where)


class Window:
    Error = (psycopg.Error, psycopg_pool.PoolTimeout)

    def __init__(self, string):
        self.string, self.kept, self.known = string, {}, False
        self.connections = psycopg_pool.ConnectionPool(
            string, min_size=1, max_size=1, open=False, timeout=20, check=psycopg_pool.ConnectionPool.check_connection
        )

    def versions(self):
        libpq = psycopg.pq.version() // 10000
        return f"psycopg {psycopg.__version__}, psycopg_pool {psycopg_pool.__version__}, libpq {libpq}"

    def sqlstate(self, error):
        return getattr(error, "sqlstate", None)

    def once(self, who):
        with psycopg.connect(self.string) as connection:
            port = connection.execute(CHARGE, (1, who)).fetchone()[0]
        return f"committed on {port}"

    def keep(self, name):
        self.kept[name] = psycopg.connect(self.string)
        return self.ask(name)

    def put(self, name, who):
        for total in (1, 2):
            port = self.kept[name].execute(CHARGE, (total, who)).fetchone()[0]
        return f"not yet committed on {port}"

    def wait(self, name):
        self.kept[name].execute(WORK)
        return "done"

    def commit(self, name):
        self.kept[name].commit()
        return "committed"

    def ask(self, name):
        port = self.kept[name].execute(SIDE).fetchone()[0]
        self.kept[name].commit()
        return f"on {port}"

    def state(self, name):
        connection = self.kept[name]
        return f"closed {connection.closed}, broken {connection.broken}"

    def typed(self):
        if not self.known:
            with psycopg.connect(self.string) as connection:
                know(connection, None)
            self.known = True
        with psycopg.connect(self.string) as connection:
            return repr(connection.execute(TYPED).fetchone())

    def typed_own(self):
        with psycopg.connect(self.string) as connection:
            know(connection, connection)
            return repr(connection.execute(TYPED).fetchone())

    def pool(self, who):
        self.connections.open()
        with self.connections.connection() as connection:
            port = connection.execute(CHARGE, (1, who)).fetchone()[0]
        return f"committed on {port}"


serve(Window(sys.argv[1]))
