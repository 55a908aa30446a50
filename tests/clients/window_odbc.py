"""A window on psqlODBC, through unixODBC and pyodbc."""

import sys

import pyodbc
from window import SIDE, WORK, serve

CHARGE = "INSERT INTO op.charge (total, who) VALUES (?, ?) RETURNING current_setting('port')"
TYPED = "SELECT 'cash'::op.pay, ROW('aspirin', 12.3456)::op.part"

# The driver manager's own pool would keep connections that a switch has ended.
pyodbc.pooling = False


class Window:
    Error = pyodbc.Error

    def __init__(self, string):
        self.string, self.kept = string, {}

    def versions(self):
        connection = pyodbc.connect(self.string)
        driver = connection.getinfo(pyodbc.SQL_DRIVER_VER)
        connection.close()
        return f"psqlODBC {driver}, pyodbc {pyodbc.version}"

    def sqlstate(self, error):
        return error.args[0]

    def once(self, who):
        connection = pyodbc.connect(self.string)
        port = connection.execute(CHARGE, 1, who).fetchone()[0]
        connection.commit()
        connection.close()
        return f"committed on {port}"

    def keep(self, name):
        self.kept[name] = pyodbc.connect(self.string)
        return self.ask(name)

    def put(self, name, who):
        for total in (1, 2):
            port = self.kept[name].execute(CHARGE, total, who).fetchone()[0]
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
        return f"closed {self.kept[name].closed}"

    def typed(self):
        connection = pyodbc.connect(self.string)
        row = tuple(connection.execute(TYPED).fetchone())
        connection.close()
        return repr(row)

    typed_own = typed


serve(Window(sys.argv[1]))
