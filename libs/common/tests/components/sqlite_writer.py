"""A shop that never closes: writes to an SQLite database until it is told to stop.

Each transaction moves an amount between two accounts and notes it, so that at any moment the sum of
the accounts is nought and every movement has both its halves. It rests for as long as each of them
took: on a slow disk nobody else would ever find the database unlocked. Prints a line after the
first transaction, and the number of transactions at the end.
"""

import random
import sqlite3
import sys
import time
from pathlib import Path


def main(path: str, stop: str, limit: float) -> None:
    """Write until the file ``stop`` appears, for so many seconds at most."""
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    end, done, pick = time.monotonic() + limit, 0, random.Random(3)
    while time.monotonic() < end and not Path(stop).exists():
        begun = time.monotonic()
        amount, one, other = pick.randrange(1000), pick.randrange(200), pick.randrange(200)
        connection.execute("BEGIN IMMEDIATE")
        change = "UPDATE account SET amount = amount + ? WHERE id = ?"
        connection.execute(change, (amount, one))
        connection.execute(
            "INSERT INTO movement (amount, note) VALUES (?, randomblob(3000))", (amount,)
        )
        connection.execute(change, (-amount, other))
        connection.execute("INSERT INTO movement (amount) VALUES (?)", (-amount,))
        connection.execute("COMMIT")
        done += 1
        if done == 1:
            sys.stdout.write("begun\n")
            sys.stdout.flush()
        time.sleep(time.monotonic() - begun)
    connection.close()
    sys.stdout.write(f"{done}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
