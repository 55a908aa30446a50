"""A window in Python: reads what it shall do from standard input, a line each, and answers with a line each.

once WHO          a new connection commits one charge
keep NAME         a connection is opened and kept
put NAME WHO      the kept connection begins a transaction and writes two charges
wait NAME         and has the server work for a minute
commit NAME       and commits
ask NAME          the kept connection is asked which server it is on
state NAME        what the driver itself says of the kept connection
typed, typed-own  a new connection reads values of the database's own types, which were made known once and for all
                  connections, or to this connection alone
pool WHO          a connection of the pool commits one charge
"""

import sys

CHARGE = "INSERT INTO op.charge (total, who) VALUES (%s, %s) RETURNING current_setting('port')"
SIDE = "SELECT current_setting('port')"
WORK = "SELECT pg_sleep(60)"
TYPED = "SELECT 'cash'::op.pay, ROW('aspirin', 12.3456)::op.part"


def failed(error, state):
    """What a program's own error handling has to go by: the class, the SQLSTATE, the text."""
    kind = type(error)
    module = kind.__module__.split(".")[0]
    text = str(error.args[-1]) if error.args else ""
    lines = " / ".join(line.strip() for line in text.strip().splitlines())
    return f'failed {module}.{kind.__name__} {state or "-"} "{lines}"'


def serve(window):
    """Answers until there is nothing more to do."""
    print(window.versions(), flush=True)
    for line in sys.stdin:
        verb, *words = line.split()
        try:
            answer = getattr(window, verb.replace("-", "_"))(*words)
        except window.Error as error:
            answer = failed(error, window.sqlstate(error))
        print(answer, flush=True)
