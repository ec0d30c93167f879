"""What comes with texts in a training: labels, weights, groups and settings, in the types of the native part."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Mapping
from typing import Any


def labels(values: Any) -> tuple[list[Any], bool]:
    """Labels as strings (None for missing ones), or as lists of strings, and whether they are lists.

    Raises:
        TypeError: If one is neither, or if some are lists and some are not. It names the item, from 0.
    """
    items = items_of("labels", values)
    taken: list[Any] = []
    n_lists = 0
    for number, item in enumerate(items):
        if _is_list(item):
            n_lists += 1
            taken.append([_label(f"labels has in item {number}", label) for label in item])
        elif _is_missing(item):
            taken.append(None)
        else:
            taken.append(_label(f"item {number} of labels is", item))
    if n_lists in (0, len(items)):
        return taken, n_lists > 0
    number = next(number for number, item in enumerate(items) if not _is_list(item))
    raise TypeError(f"item {number} of labels is no list, but others are; give each text a list of labels")


def numbers(name: str, values: Any) -> list[float]:
    """Numbers, for each text one.

    Raises:
        TypeError: If one is no number. It names the item, from 0.
    """
    taken = []
    for number, item in enumerate(items_of(name, values)):
        try:
            taken.append(float(item))
        except (TypeError, ValueError) as error:
            raise TypeError(f"item {number} of {name} is {_type(item)}, expected a number") from error
    return taken


def numbered(name: str, values: Any) -> list[int]:
    """Values as numbers from 0; equal values have equal numbers.

    Raises:
        TypeError: If one is missing or cannot be compared. It names the item, from 0.
    """
    numbers_by_value: dict[Any, int] = {}
    taken = []
    for number, item in enumerate(items_of(name, values)):
        if _is_missing(item):
            raise TypeError(f"item {number} of {name} is missing; give each text a group")
        try:
            taken.append(numbers_by_value.setdefault(item, len(numbers_by_value)))
        except TypeError as error:
            raise TypeError(f"item {number} of {name} is {_type(item)}, expected something hashable") from error
    return taken


def names(name: str, values: Any) -> list[str]:
    """Strings."""
    items = items_of(name, values)
    for number, item in enumerate(items):
        if not isinstance(item, str):
            raise TypeError(f"item {number} of {name} is {_type(item)}, expected str")
    return items


def string(name: str, value: str | None) -> str | None:
    """A string, or None."""
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"{name} is {_type(value)}, expected str")


def device(value: str) -> str:
    """The name of a device."""
    if isinstance(value, str):
        return value
    raise TypeError(f"device is {_type(value)}, expected 'cpu', 'cuda', 'metal' or 'auto'")


def flag(name: str, value: bool) -> bool:
    """True or False."""
    if _is_bool(value):
        return bool(value)
    raise TypeError(f"{name} is {_type(value)}, expected True or False")


def seed(value: int | None) -> int | None:
    """A seed: an integer of 64 bits, or None."""
    if value is None:
        return None
    number = operator.index(value)
    if not 0 <= number < 1 << 64:
        raise ValueError(f"seed is {number}, expected an integer from 0 to 2**64 - 1")
    return number


def settings(values: Mapping[str, Any] | Iterable[str] | None) -> list[str]:
    """Settings as ``table.key=value``, as the command line takes them."""
    if values is None:
        return []
    if isinstance(values, Mapping):
        return [f"{key}={_value(key, value)}" for key, value in _flat(values)]
    return names("settings", values)


def class_weights(weights: str | Mapping[str, float] | None) -> str | None:
    """Weights as the command line takes them, or as JSON."""
    if weights is None or isinstance(weights, str):
        return weights
    if not isinstance(weights, Mapping):
        raise TypeError(f"class_weights is {_type(weights)}, expected str or a dict of numbers by class")
    taken = {}
    for name, weight in weights.items():
        if not isinstance(name, str):
            raise TypeError(f"class_weights has the key {name!r}, expected the name of a class (str)")
        taken[name] = float(weight)
    return json.dumps(taken)


def items_of(name: str, values: Any) -> list[Any]:
    """The items of any iterable: plain Python objects where the library can make them."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} is {_type(values)}, expected a list with an item for each text")
    for method in ("to_pylist", "to_list", "tolist"):
        convert = getattr(values, method, None)
        if convert is not None:
            return list(convert())
    return list(values)


def _label(place: str, label: Any) -> str:
    if isinstance(label, str):
        # The text itself, also of an Enum's member, of which str() is the name.
        return str.__str__(label)
    if _is_bool(label):
        return "true" if label else "false"
    try:
        return str(operator.index(label))
    except TypeError:
        raise TypeError(f"{place} {_type(label)}, expected str or int") from None


def _is_bool(value: Any) -> bool:
    # NumPy has a type of its own, which had another name before version 2.
    return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")


def _is_list(item: Any) -> bool:
    return not isinstance(item, (str, bytes, Mapping)) and isinstance(item, Iterable)


def _is_missing(item: Any) -> bool:
    # NaN is the float that differs from itself; pandas.NA and NaT have names of their own.
    if isinstance(item, float):
        return item != item
    return item is None or type(item).__name__ in ("NAType", "NaTType")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if not isinstance(key, str):
            raise TypeError(f"settings has the key {key!r}, expected the name of a setting (str)")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _value(key: str, value: Any) -> str:
    """A value as TOML; the command line takes a word without quotation marks."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, list, tuple)):
        return json.dumps(value)
    for convert in (operator.index, float):
        try:
            return json.dumps(convert(value))
        except (TypeError, ValueError):
            continue
    raise TypeError(f"the setting {key} is {_type(value)}, expected a number, str, bool or list")


def _type(value: Any) -> str:
    return "None" if value is None else type(value).__name__
