"""The collector alone, as headquarters runs it, on a broker that is there already.

usage: collect DATA PORT USER PASSWORD; prints `ready`, ends with its standard input.
"""

import sys
from pathlib import Path

from server.broker import Access
from server.collector import Collector
from server.ingest import Ingest
from server.live import Live
from server.manifests import read_all
from server.store import Store


def main(data: str, port: str, user: str, password: str) -> None:
    manifests, broken = read_all()
    assert not broken, broken
    store, live = Store(Path(data)), Live()
    access = Access("127.0.0.1", int(port), user, password)
    collector = Collector(store, lambda downlink: Ingest(store, manifests, downlink), access, live)
    collector.start()
    print("ready", flush=True)
    sys.stdin.read()
    collector.stop()
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
