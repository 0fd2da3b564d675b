"""Checks as data: which rule speaks, how it words its query, and the queries found so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trialpipe.io.contracts import QUERIES
from trialpipe.io.errors import shorten
from trialpipe.io.sdtm import prefix

SEVERITIES = ("error", "warning", "note")
_LONGEST = 600


@dataclass(frozen=True)
class Rule:
    """A row of the table of checks; ``parameters`` as text by name."""

    id: str
    scope: str
    severity: str
    domains: tuple[str, ...]
    kind: str
    parameters: Mapping[str, str]
    message: str
    cure: str

    def covers(self, domain: str) -> bool:
        return "*" in self.domains or domain in self.domains

    def speaks(self, domain: str, variable: str | None, decod: str | None) -> bool:
        """Whether domain, variable and --DECOD fit the rule's own limits."""
        names = [name.replace("--", prefix(domain)) for name in self.options("variables")]
        return (
            self.covers(domain)
            and (not names or variable in names)
            and (not self.options("decod") or decod in self.options("decod"))
        )

    def options(self, name: str) -> list[str]:
        """Alternatives of a parameter, written with ``|``."""
        return [part for part in self.parameters.get(name, "").split("|") if part]

    def number(self, name: str) -> float:
        return float(self.parameters[name])


class Rules:
    """The checks that are switched on."""

    def __init__(self, rules: Iterable[Rule], off: Iterable[str] = ()) -> None:
        switched_off = set(off)
        self._all = list(rules)
        self.rules = [rule for rule in self._all if rule.id not in switched_off]
        self._off = switched_off
        self._found: dict[tuple[str | None, ...], Rule | None] = {}

    @property
    def ids(self) -> list[str]:
        """Ids of all rules of the table, each once."""
        return list(dict.fromkeys(rule.id for rule in self._all))

    def find(self, kind: str, domain: str, variable: str | None = None, decod: str | None = None) -> Rule | None:
        """The first rule of a kind that fits; None where it is switched off."""
        key = (kind, domain, variable, decod)
        if key not in self._found:
            fits = (rule for rule in self._all if rule.kind == kind and rule.speaks(domain, variable, decod))
            first = next(fits, None)
            self._found[key] = None if first is None or first.id in self._off else first
        return self._found[key]

    def of(self, scope: str, kinds: Iterable[str]) -> list[Rule]:
        """Rules of a scope whose kind is one of ``kinds``, in table order."""
        wanted = set(kinds)
        return [rule for rule in self.rules if rule.scope == scope and rule.kind in wanted]


def read_rules(rows: Iterable[Mapping[str, str]]) -> list[Rule]:
    """Rules from the table; ValueError for an unknown scope or severity."""
    rules = []
    for row in rows:
        if row["scope"] not in ("record", "cross") or row["severity"] not in SEVERITIES:
            raise ValueError(f"checks.csv: rule {row['id']}: scope '{row['scope']}', severity '{row['severity']}'")
        pairs = [part.split("=", 1) for part in row["parameters"].split(";") if part]
        domains = tuple(row["domains"].split(";"))
        words = (row["kind"], dict(pairs), row["message"], row["cure"])
        rules.append(Rule(row["id"], row["scope"], row["severity"], domains, *words))
    return rules


class _Fields(dict):
    def __missing__(self, key: str) -> str:
        return "?"


class Log:
    """Queries of one job. A rule speaks once per raw cell: a second finding there only adds its cells."""

    def __init__(self, rules: Rules, domain: str) -> None:
        self.rules = rules
        self.domain = domain
        self._rows: dict[str, dict[str, Any]] = {}

    def add(
        self,
        kind: str,
        origin: Sequence[str],
        *,
        subject: str | None = None,
        form: str | None = None,
        visit: str | None = None,
        item: str | None = None,
        value: str | None = None,
        variable: str | None = None,
        decod: str | None = None,
        **fields: object,
    ) -> None:
        """A finding of a kind at raw cells; the first cell names the query. Nothing happens if no rule speaks."""
        rule = self.rules.find(kind, self.domain, variable, decod)
        if rule is not None:
            words = {"item": item, "value": value, "form": form, "decod": decod, **fields}
            self.put(rule, origin, words, subject=subject, form=form, visit=visit, item=item, value=value)

    def put(self, rule: Rule, origin: Sequence[str], words: Mapping[str, object], **columns: str | None) -> None:
        """A finding of a given rule; ``words`` fill the message, ``columns`` the query."""
        cells = list(dict.fromkeys(origin))
        name = f"{rule.id}:{cells[0]}"
        if name in self._rows:
            known = self._rows[name]["origin"]
            known += [cell for cell in cells if cell not in known]
            return
        known_words = _Fields({key: value for key, value in words.items() if value is not None})
        text = rule.message.format_map(known_words) + (f" - {rule.cure}" if rule.cure else "")
        text = text.replace("  ", " ").replace(" ;", ";")
        # one line whatever the raw cell holds
        message = shorten(text, _LONGEST)
        self._rows[name] = {
            "query_id": name,
            "rule": rule.id,
            "severity": rule.severity,
            "domain": self.domain,
            **columns,
            "message": message,
            "origin": cells,
        }

    def rows(self) -> list[dict[str, Any]]:
        """Queries sorted by id; keys as in the contract, absent ones None."""
        names = [column.name for column in QUERIES.columns]
        return [{name: self._rows[key].get(name) for name in names} for key in sorted(self._rows)]
