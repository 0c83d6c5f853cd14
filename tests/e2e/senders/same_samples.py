"""Whether the service holds what Prometheus holds: same_samples.py PROMETHEUS SERVICE SELECTOR TO [again]

All samples of the series of SELECTOR, which have a label `agent`, up to the Unix time TO: each
that Prometheus has is in the service, with its time and value, and of other series with that
label nothing is there. With `again` the service may have some of them more than once, as senders
do not know whether a request that nobody answered was stored. The service's token is
$SERVICE_TOKEN. Prints how many there are, or what is wrong; exit code 1 then.

Values that are not finite are no samples for the service; stale markers are none for either.
"""
import collections
import datetime
import json
import math
import os
import re
import sys
import urllib.parse
import urllib.request


def escaped(text, signs):
    """As lib/formats/series_name.h has it."""
    text = re.sub("%(?=3B|3D|25)", "%25", text)
    for sign in signs:
        text = text.replace(sign, f"%{ord(sign):X}")
    return text


def name_of(labels):
    labels = dict(labels)
    parts = [escaped(labels.pop("__name__"), ";")]
    parts += [f"{escaped(name, ';=')}={escaped(labels[name], ';')}" for name in sorted(labels)]
    return ";".join(parts)


def of_prometheus(base, selector, until):
    query = urllib.parse.urlencode({"query": f"{selector}[1h]", "time": until})
    with urllib.request.urlopen(f"{base}/api/v1/query?{query}", timeout=20) as answer:
        series = json.load(answer)["data"]["result"]
    return [
        (name_of(one["metric"]), round(time * 1000), float(value))
        for one in series
        for time, value in one["values"]
        if math.isfinite(float(value))
    ]


def of_service(base, until):
    samples = []
    page = f"?order=oldest&format=ndjson&to={until + 0.001:.3f}"
    while page:
        request = urllib.request.Request(f"{base}/api/metrics/list{page}")
        request.add_header("Authorization", f"Bearer {os.environ['SERVICE_TOKEN']}")
        with urllib.request.urlopen(request, timeout=20) as answer:
            for line in answer:
                one = json.loads(line)
                time = datetime.datetime.fromisoformat(one["timestamp"].replace("Z", "+00:00"))
                samples.append((one["type"], round(time.timestamp() * 1000), float(one["value"])))
            following = re.search('<([^>]*)>; rel="next"', answer.headers["Link"] or "")
            page = following and following[1]
    return samples


prometheus, service, selector, until = sys.argv[1:5]
wanted = collections.Counter(of_prometheus(prometheus, selector, float(until)))
held = collections.Counter(one for one in of_service(service, float(until)) if ";agent=" in one[0])
lost, more = wanted - held, held - wanted
unknown = [one for one in more if "again" not in sys.argv or one not in wanted]
print(len(wanted), "samples,", len(lost), "lost,", len(unknown), "unknown,", sum(more.values()), "more than wanted")
for title, some in ("lost", lost), ("unknown", unknown):
    for one in sorted(some)[:5]:
        print(title, *one)
sys.exit(1 if lost or unknown or not wanted else 0)
