"""apt's errors as one line, with what helps."""

from __future__ import annotations

import re

_UNKNOWN = re.compile(r"Unable to locate package (\S+)|Package '([^']+)' has no installation cand")
_FETCH = re.compile(r"^E: Failed to fetch (\S+)\s+(.*)$", re.MULTILINE)
_NOT_FETCHED = " cannot be fetched: "
_UNMET = " cannot be installed: "
_RELATION = re.compile(r"^ (\S+) : ((?:Pre-?)?Depends|Conflicts|Breaks): (.*)$", re.MULTILINE)
_ASSIGNMENTS = re.compile(r"conflicting assignments:\n((?:[ \t]+.*\n?)+)")
"""Reasons of the solver of apt 3, a numbered list."""

_REMEDIES = (
    (
        r"NO_PUBKEY|not signed|couldn't be verified|could not be verified|Missing key|"
        r"OpenPGP signature verification failed|is not signed by",
        "the index of {suite} on {uri} is not signed by a key of this machine (a newer "
        "debian-archive-keyring may have it)",
    ),
    (
        r"does not have a Release file|no longer has a Release file|Release'? .*404",
        "there is no suite {suite} on {uri} (expected trixie, forky or sid)",
    ),
    (
        r"is expired|is not valid yet",
        "the index of {suite} on {uri} is out of date (check the clock, or try another --mirror)",
    ),
    (
        r"Hash Sum mismatch|File has unexpected size|Clearsigned file isn't valid|Splitting up",
        "the index of {suite} on {uri} is broken or being renewed (try again later, or another "
        "--mirror)",
    ),
    (
        r"resolving|Could not connect|Cannot initiate|Connection (?:failed|timed|refused)|"
        r"Network is unreachable|Unable to connect|Proxy",
        "{uri} cannot be reached (check the network, or apt's proxy)",
    ),
    (r"No space left|enough free space", "No space left on device"),
    (r"Packages need to be removed", f"a package{_UNMET}it conflicts with one that is there"),
)


def has_unknown_package(message: str) -> bool:
    return message.startswith("there is no package ")


def unknown_packages(errors: str) -> list[str]:
    """Packages that apt does not know, or that only others provide."""
    return [match[1] or match[2] for match in _UNKNOWN.finditer(errors)]


def is_outdated(message: str) -> bool:
    """True for errors of an index that is older than the mirror's files."""
    return _NOT_FETCHED in message


def is_unmet(message: str) -> bool:
    """True for packages that cannot be installed beside each other or without another."""
    return _UNMET in message


def explain(action: str, output: str, errors: str, suite: str, uri: str) -> str:
    """One line for what apt printed when it failed."""
    unknown = unknown_packages(errors)
    if unknown:
        return f"there is no package {', '.join(dict.fromkeys(unknown))} in {suite}"
    if action == "update" or "No space left" in errors or "need to be removed" in errors:
        for pattern, text in _REMEDIES:
            if re.search(pattern, errors):
                return text.format(suite=suite, uri=uri)
    failed = _FETCH.search(errors)
    if failed is not None:
        return f"{failed[1]}{_NOT_FETCHED}{failed[2]} (try again later, or another --mirror)"
    unmet = _unmet(output, errors)
    if unmet:
        return unmet
    reasons = [line for line in errors.splitlines() if line.startswith("E:")]
    return f"apt-get {action}: {reasons[0][3:] if reasons else 'failed'}"


def _unmet(output: str, errors: str) -> str:
    """The first relation between packages that cannot be fulfilled; "" if that is not the error."""
    relation = _RELATION.search(output)
    if relation is not None:
        package, kind, others = relation.groups()
        return f"{package}{_UNMET}{kind} {' '.join(others.split())}"
    reasons = _ASSIGNMENTS.search(errors)
    if reasons is not None:
        return f"a package{_UNMET}{' '.join(reasons[1].split())}"
    return ""
