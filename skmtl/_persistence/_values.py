"""Codecs of values that are no arrays: numbers, dates, containers."""

import math
from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from pathlib import Path, PurePath
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from skmtl._persistence._codec import Codec


def _write_items(value, writer):
    return {"items": [writer.write_at(f"[{k}]", item) for k, item in enumerate(value)]}


def _write_set(value, writer):
    return _write_items(sorted(value, key=lambda item: (type(item).__name__, repr(item))), writer)


def _write_dict(value, writer):
    pairs = [[writer.write(k), writer.write_at(f"[{k!r}]", item)] for k, item in value.items()]
    return {"items": pairs}


def _items(make):
    return lambda node, reader: make(reader.read(item) for item in node["items"])


def _pairs(make):
    return lambda node, reader: make((reader.read(k), reader.read(v)) for k, v in node["items"])


def write_zone(zone, writer):
    """Return a time zone as plain data: its name, or its offset from UTC in seconds.

    pandas 2 takes zones of pytz for names, which differ from others of the same name.
    """
    if zone is None:
        return None
    if zone is UTC or str(zone) == "UTC":
        return "UTC"
    if isinstance(zone, timezone) or zone.utcoffset(None) is not None:
        return zone.utcoffset(None).total_seconds()
    if isinstance(getattr(zone, "key", None), str):
        return zone.key
    if isinstance(getattr(zone, "zone", None), str):
        return {"pytz": zone.zone}
    writer.refuse(f"in the time zone {zone!r}, which has no name; use a zoneinfo.ZoneInfo.")
    return None


def read_zone(zone):
    """Return a time zone from its name or its offset."""
    if zone is None:
        return None
    if zone == "UTC":
        return UTC
    if isinstance(zone, str):
        return ZoneInfo(zone)
    if isinstance(zone, dict):
        try:
            return import_module("pytz").timezone(zone["pytz"])
        except ImportError:
            return ZoneInfo(zone["pytz"])
    return timezone(timedelta(seconds=zone))


def _write_datetime(value, writer):
    naive = value.replace(tzinfo=None)
    zone = write_zone(value.tzinfo, writer)
    return {"value": naive.isoformat(), "zone": zone, "fold": value.fold}


def _read_datetime(node, reader):
    value = datetime.fromisoformat(node["value"])
    zone = node["zone"]
    # a zone of pytz has no offset before it is asked about a time
    zone = zone["pytz"] if isinstance(zone, dict) else zone
    return value.replace(tzinfo=read_zone(zone), fold=node["fold"])


def _write_timestamp(value, writer):
    zone = write_zone(value.tz, writer)
    return {"value": int(value.asm8.view(np.int64)), "unit": value.unit, "zone": zone}


def _read_timestamp(node, reader):
    value = pd.Timestamp(np.datetime64(node["value"], node["unit"]))
    if node["zone"] is None:
        return value
    return value.tz_localize("UTC").tz_convert(read_zone(node["zone"]))


def _write_timedelta64(value, writer):
    return {"value": int(value.asm8.view(np.int64)), "unit": value.unit}


def _read_timedelta64(node, reader):
    return pd.Timedelta(np.timedelta64(node["value"], node["unit"]))


def _write_interval(value, writer):
    ends = writer.write(value.left), writer.write(value.right)
    return {"left": ends[0], "right": ends[1], "closed": value.closed}


def _read_interval(node, reader):
    return pd.Interval(reader.read(node["left"]), reader.read(node["right"]), node["closed"])


def _write_random_state(value, writer):
    return {"state": writer.write(value.get_state(legacy=False))}


def _read_random_state(node, reader):
    value = np.random.RandomState()
    value.set_state(reader.read(node["state"]))
    return value


def _write_generator(value, writer):
    state = value.bit_generator.state
    if state["bit_generator"] != "PCG64":
        writer.refuse(f"a generator of numpy by {state['bit_generator']}, not by PCG64")
    return {"state": writer.write(state)}


def _read_generator(node, reader):
    value = np.random.Generator(np.random.PCG64(0))
    value.bit_generator.state = reader.read(node["state"])
    return value


def _text(kind, cls, write, read):
    """Return a codec of values that have a text."""
    return Codec(
        kind, (cls,), lambda v, writer: {"value": write(v)}, lambda n, reader: read(n["value"])
    )


CODECS = [
    Codec("tuple", (tuple,), _write_items, _items(tuple)),
    Codec("set", (set,), _write_set, _items(set)),
    Codec("frozenset", (frozenset,), _write_set, _items(frozenset)),
    Codec("dict", (dict,), _write_dict, _pairs(dict), shared=True),
    Codec("ordered_dict", (OrderedDict,), _write_dict, _pairs(OrderedDict)),
    Codec(
        "float",
        (float,),
        # JSON has neither of nan, inf and -inf
        lambda v, writer: {"value": "nan" if math.isnan(v) else str(v)},
        lambda n, reader: float(n["value"]),
    ),
    Codec(
        "complex",
        (complex,),
        lambda v, writer: {"real": writer.write(v.real), "imag": writer.write(v.imag)},
        lambda n, reader: complex(reader.read(n["real"]), reader.read(n["imag"])),
    ),
    Codec(
        "range",
        (range,),
        lambda v, writer: {"value": [v.start, v.stop, v.step]},
        lambda n, reader: range(*n["value"]),
    ),
    Codec(
        "slice",
        (slice,),
        lambda v, writer: {"value": writer.write([v.start, v.stop, v.step])},
        lambda n, reader: slice(*reader.read(n["value"])),
    ),
    _text("bytes", bytes, bytes.hex, bytes.fromhex),
    _text("decimal", Decimal, str, Decimal),
    _text("fraction", Fraction, lambda v: [v.numerator, v.denominator], lambda v: Fraction(*v)),
    _text("uuid", UUID, str, UUID),
    _text("date", date, date.isoformat, date.fromisoformat),
    _text(
        "duration",
        timedelta,
        lambda v: [v.days, v.seconds, v.microseconds],
        lambda value: timedelta(*value),
    ),
    Codec("datetime", (datetime,), _write_datetime, _read_datetime),
    Codec(
        "time",
        (time,),
        lambda v, writer: {
            "value": v.replace(tzinfo=None).isoformat(),
            "zone": write_zone(v.tzinfo, writer),
        },
        lambda n, reader: time.fromisoformat(n["value"]).replace(tzinfo=read_zone(n["zone"])),
    ),
    Codec("timestamp", (pd.Timestamp,), _write_timestamp, _read_timestamp),
    Codec("timedelta", (pd.Timedelta,), _write_timedelta64, _read_timedelta64),
    Codec(
        "period",
        (pd.Period,),
        lambda v, writer: {"value": v.ordinal, "freq": v.freqstr},
        lambda n, reader: pd.Period(ordinal=n["value"], freq=n["freq"]),
    ),
    Codec("interval", (pd.Interval,), _write_interval, _read_interval),
    Codec("NA", (type(pd.NA),), lambda v, writer: {}, lambda n, reader: pd.NA),
    Codec("NaT", (type(pd.NaT),), lambda v, writer: {}, lambda n, reader: pd.NaT),
    Codec("random_state", (np.random.RandomState,), _write_random_state, _read_random_state),
    Codec("generator", (np.random.Generator,), _write_generator, _read_generator),
    Codec(
        "path",
        (),
        lambda v, writer: {"value": str(v)},
        lambda n, reader: Path(n["value"]),
        matches=lambda value: isinstance(value, PurePath),
    ),
]
