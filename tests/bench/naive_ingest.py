"""The arm to beat at intake: a plain loop of paho and sqlite-utils, one commit a message.

usage: naive_ingest FILE COUNT PORT USER PASSWORD; prints `ready`, then `done SECONDS` from the first to
the last committed message.
"""

import sys
import time

import msgspec
import paho.mqtt.client as mqtt
import sqlite_utils

file, count, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
database = sqlite_utils.Database(file)
database.enable_wal()
database.execute("pragma synchronous = full")
events = database["events"]
began = 0.0
seen = 0


def on_message(client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
    global began, seen
    began = began or time.perf_counter()
    events.insert(msgspec.json.decode(message.payload))
    seen += 1
    if seen == count:
        print(f"done {time.perf_counter() - began:.6f}", flush=True)
        client.disconnect()


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="naive")
client.on_message = on_message
client.on_subscribe = lambda *_: print("ready", flush=True)
client.on_connect = lambda *_: client.subscribe("yz/1/+/up", qos=1)
client.username_pw_set(*sys.argv[4:6])
client.connect("127.0.0.1", port)
client.loop_forever()
