"""InfluxDB 1.x by python3-influxdb: influx_v1.py PORT [USER PASSWORD]; prints what it is told.

Without a password it brings none.
"""
import sys

from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError

port, user, password = (sys.argv[1:] + [None, None])[:3]
client = InfluxDBClient("127.0.0.1", int(port), user, password, "telemetry", retries=1)


def told(what, *args, **options):
    """What a call gives, or its error's status."""
    try:
        return what(*args, **options)
    except InfluxDBClientError as error:
        return error.code


def point(number, time, measurement="room"):
    return {
        "measurement": measurement,
        "tags": {"side": "north wing", "floor": number % 2},
        "time": time,
        "fields": {
            "celsius": 20.5 + number,
            "people": 3 * number,
            "open": number % 2 == 0,
            "note": 'a "quoted", long = text\\',
        },
    }


print("ping", told(client.ping))
print("create", told(client.create_database, "telemetry"))
print("databases", told(client.get_list_database))
print("points", told(client.write_points, [point(0, "2026-02-21T12:00:00Z"), point(1, "2026-02-21T12:00:01.25Z")]))
for precision, time in ("s", 1771675200), ("ms", 1771675200001), ("u", 1771675200000001), ("n", 1771675200000001999):
    print(precision, told(client.write_points, [point(2, time, precision)], time_precision=precision))
many = [point(0, 1771675200 + second, "many") for second in range(1000)]
print("batches", told(client.write_points, many, time_precision="s", batch_size=300))
print("wrong", told(client.write_points, ["room celsius=1 0", "room celsius=warm 1"], protocol="line"))
