"""Another process that holds the write lock of a database: for so many seconds at each line that it reads.

usage: hold_lock FILE SECONDS; says `held` when it has the lock and `over` when it has let it go.
"""

import sqlite3
import sys
import time


def main(file: str, seconds: float) -> None:
    conn = sqlite3.connect(file, isolation_level=None, timeout=30)
    for _ in sys.stdin:
        conn.execute("BEGIN IMMEDIATE")
        print("held", flush=True)
        time.sleep(seconds)
        conn.execute("ROLLBACK")
        print("over", flush=True)
    conn.close()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
