"""Waits until the broker at HOST:PORT answers a client and counts itself in: `answers.py HOST:PORT SECONDS`.

A port is open seconds before its broker takes requests; a broker names itself only when it does.
"""

import logging
import sys
import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

address, seconds = sys.argv[1], float(sys.argv[2])
quiet = logging.getLogger("kafka")
quiet.addHandler(logging.NullHandler())
quiet.propagate = False
client = AdminClient({"bootstrap.servers": address, "reconnect.backoff.max.ms": 200}, logger=quiet)
end = time.monotonic() + seconds
while True:
    left = end - time.monotonic()
    if left <= 0:
        sys.exit(f"{address} did not answer in {seconds:g} s")
    try:
        brokers = client.list_topics(timeout=min(left, 1)).brokers.values()
    except KafkaException:
        continue
    if any(f"{broker.host}:{broker.port}" == address for broker in brokers):
        sys.exit()
    time.sleep(0.1)
