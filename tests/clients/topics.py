"""What an administrator does to a topic, with the client from PyPI.

    topics.py truncate BROKERS TOPIC OFFSET       removes the records of partition 0 below OFFSET
    topics.py delete BROKERS TOPIC                removes the topic, and returns when it is gone
    topics.py set BROKERS TOPIC NAME=VALUE        changes a setting
"""

import sys

from confluent_kafka import TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

SECONDS = 30


def done(futures):
    for future in futures.values():
        future.result(SECONDS)


def truncate(admin, topic, offset):
    done(admin.delete_records([TopicPartition(topic, 0, int(offset))]))


def delete(admin, topic):
    done(admin.delete_topics([topic], operation_timeout=SECONDS))
    while topic in admin.list_topics(timeout=SECONDS).topics:
        pass


def set_(admin, topic, setting):
    name, value = setting.split("=")
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    done(admin.incremental_alter_configs([resource]))


verb, brokers, topic, *more = sys.argv[1:]
verbs = {"truncate": truncate, "delete": delete, "set": set_}
verbs[verb](AdminClient({"bootstrap.servers": brokers}), topic, *more)
