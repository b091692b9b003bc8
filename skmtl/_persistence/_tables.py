"""Codecs of the indexes, Series and DataFrames of pandas."""

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from skmtl._persistence._codec import Codec
from skmtl._persistence._values import read_zone, write_zone


def _write_values(values, writer):
    """Return an array of any type of pandas as plain data."""
    dtype = values.dtype
    # strings of pandas 2 are a kind of these arrays
    if isinstance(values, pd.arrays.NumpyExtensionArray) and not isinstance(dtype, pd.StringDtype):
        values = values.to_numpy()
    if isinstance(values, np.ndarray):
        return writer.write(values)
    if isinstance(values, pd.arrays.DatetimeArray):
        numbers, zone = writer.write(values.asi8), write_zone(values.tz, writer)
        return {"of": "dates", "values": numbers, "unit": values.unit, "zone": zone}
    if isinstance(values, pd.arrays.TimedeltaArray):
        return {"of": "durations", "values": writer.write(values.asi8), "unit": values.unit}
    if isinstance(values, pd.arrays.PeriodArray):
        return {"of": "periods", "values": writer.write(values.asi8), "freq": values.freqstr}
    if isinstance(values, pd.Categorical):
        codes, categories = writer.write(np.array(values.codes)), writer.write(values.categories)
        ordered = bool(values.ordered)
        return {"of": "categories", "codes": codes, "categories": categories, "ordered": ordered}
    if isinstance(dtype, pd.IntervalDtype):
        ends = writer.write(pd.Index(values.left)), writer.write(pd.Index(values.right))
        return {"of": "intervals", "left": ends[0], "right": ends[1], "closed": dtype.closed}
    items = [None if missing else item for item, missing in zip(values, values.isna(), strict=True)]
    if isinstance(dtype, pd.StringDtype):
        nan = dtype.na_value is not pd.NA
        return {"of": "strings", "items": items, "storage": dtype.storage, "nan": nan}
    try:
        same = pd.api.types.pandas_dtype(str(dtype)) == dtype
    except (TypeError, NotImplementedError):
        same = False
    if not same:
        writer.refuse(f"a column of the dtype {dtype}, which files cannot hold")
    return {"of": "extension", "items": writer.write(items), "dtype": str(dtype)}


def _read_values(node, reader):
    of = node.get("of")
    if of is None:
        return reader.read(node)
    if of == "dates":
        dates = pd.DatetimeIndex(reader.read(node["values"]).view(f"M8[{node['unit']}]"))
        zone = read_zone(node["zone"])
        return (dates if zone is None else dates.tz_localize("UTC").tz_convert(zone)).array
    if of == "durations":
        return pd.TimedeltaIndex(reader.read(node["values"]).view(f"m8[{node['unit']}]")).array
    if of == "periods":
        dtype = pd.PeriodDtype(node["freq"])
        return pd.PeriodIndex.from_ordinals(reader.read(node["values"]), freq=dtype.freq).array
    if of == "categories":
        categories = reader.read(node["categories"])
        dtype = pd.CategoricalDtype(categories, node["ordered"])
        return pd.Categorical.from_codes(reader.read(node["codes"]), dtype=dtype)
    if of == "intervals":
        ends = reader.read(node["left"]), reader.read(node["right"])
        return pd.arrays.IntervalArray.from_arrays(*ends, closed=node["closed"])
    if of == "strings":
        return pd.array(node["items"], dtype=_string_dtype(node))
    return pd.array(reader.read(node["items"]), dtype=node["dtype"])


def _string_dtype(node):
    missing = np.nan if node["nan"] else pd.NA
    try:
        return pd.StringDtype(node["storage"], na_value=missing)
    except ImportError:
        # written where pyarrow was installed; the same strings, stored otherwise
        return pd.StringDtype("python", na_value=missing)
    except TypeError:
        # pandas 2.2 has no strings with NaN
        return object if node["nan"] else pd.StringDtype(node["storage"])


def _write_index(value, writer):
    names = writer.write(list(value.names))
    if isinstance(value, pd.MultiIndex):
        levels = [_write_index(level, writer) for level in value.levels]
        codes = [writer.write(np.array(c)) for c in value.codes]
        return {"names": names, "levels": levels, "codes": codes}
    if isinstance(value, pd.RangeIndex):
        return {"names": names, "range": [value.start, value.stop, value.step]}
    return {"names": names, "values": _write_values(value.array, writer)}


def _read_index(node, reader):
    names = reader.read(node["names"])
    if "levels" in node:
        levels = [_read_index(level, reader) for level in node["levels"]]
        codes = [reader.read(c) for c in node["codes"]]
        return pd.MultiIndex(levels, codes, names=names)
    if "range" in node:
        return pd.RangeIndex(*node["range"], name=names[0])
    values = _read_values(node["values"], reader)
    if isinstance(values, ExtensionArray):
        return pd.Index(values, name=names[0])
    # what is in an array of objects says nothing of its type
    return pd.Index(values, dtype=values.dtype, name=names[0])


def _write_series(value, writer):
    return {
        "index": writer.write(value.index),
        "values": _write_values(value.array, writer),
        "name": writer.write(value.name),
    }


def _read_series(node, reader):
    index, name = reader.read(node["index"]), reader.read(node["name"])
    values = _read_values(node["values"], reader)
    return pd.Series(values, index=index, name=name, dtype=values.dtype)


def _write_frame(value, writer):
    node = {"index": writer.write(value.index), "columns": writer.write(value.columns)}
    dtypes = set(value.dtypes)
    if len(dtypes) == 1 and isinstance(dtype := dtypes.pop(), np.dtype) and dtype.kind in "biuf":
        return node | {"block": writer.write(np.ascontiguousarray(value.to_numpy()))}
    columns = []
    for k, name in enumerate(value.columns):
        with writer.at(f"[{name!r}]"):
            columns.append(_write_values(value.iloc[:, k].array, writer))
    return node | {"values": columns}


def _read_frame(node, reader):
    index, names = reader.read(node["index"]), reader.read(node["columns"])
    if "block" in node:
        return pd.DataFrame(reader.read(node["block"]), index=index, columns=names)
    columns = [_read_values(values, reader) for values in node["values"]]
    columns = {k: pd.Series(v, index=index, dtype=v.dtype) for k, v in enumerate(columns)}
    return pd.DataFrame(columns, index=index).set_axis(names, axis=1)


CODECS = [
    Codec(
        "index",
        (),
        _write_index,
        _read_index,
        shared=True,
        matches=lambda value: isinstance(value, pd.Index),
    ),
    Codec("series", (pd.Series,), _write_series, _read_series, shared=True),
    Codec("frame", (pd.DataFrame,), _write_frame, _read_frame, shared=True),
    Codec(
        "categorical",
        (pd.Categorical,),
        lambda value, writer: {"values": _write_values(value, writer)},
        lambda node, reader: _read_values(node["values"], reader),
    ),
]
