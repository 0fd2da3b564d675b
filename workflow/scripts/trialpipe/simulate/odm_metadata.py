"""Head of an ODM 1.3.2 file: study, units, complete metadata, users and places."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape, quoteattr

from trialpipe.simulate.odm_items import CODELISTS, EVENTS, FORMS, GROUPS, UNITS, Item, oid
from trialpipe.simulate.raw import Row

NAMESPACES = 'xmlns="http://www.cdisc.org/ns/odm/v1.3"'
_LENGTHS = {"text": ' Length="200"', "integer": ' Length="5"', "float": ' Length="10" SignificantDigits="3"'}


def head(names: tuple[str, ...], name: str, made: dict[str, dt.datetime], tables: Iterable[list[Row]]) -> Iterator[str]:
    """Lines up to the clinical data. ``names``: OID, name and protocol of the study; ``name``: snapshot or
    transactions, which names the snapshot as its prior file."""
    study, title, protocol = names
    kind = "Snapshot" if name == "snapshot" else "Transactional"
    prior = "" if name == "snapshot" else f' PriorFileOID="{study}.snapshot"'
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield (
        f'<ODM {NAMESPACES} ODMVersion="1.3.2" FileType="{kind}" FileOID="{study}.{name}"{prior} '
        f'CreationDateTime="{made[name]:%Y-%m-%dT%H:%M:%S}+00:00" Granularity="All" Archival="No">'
    )
    yield f'  <Study OID="{study}">'
    yield "    <GlobalVariables>"
    yield f"      <StudyName>{escape(title)}</StudyName>"
    yield "      <StudyDescription>Données inventées, aucun patient</StudyDescription>"
    yield f"      <ProtocolName>{escape(protocol)}</ProtocolName>"
    yield "    </GlobalVariables>"
    yield "    <BasicDefinitions>"
    for unit, name_of in UNITS.items():
        yield f'      <MeasurementUnit OID="{name_of}" Name={quoteattr(unit)}>'
        yield f"        <Symbol><TranslatedText>{escape(unit)}</TranslatedText></Symbol>"
        yield "      </MeasurementUnit>"
    yield "    </BasicDefinitions>"
    yield '    <MetaDataVersion OID="MDV.1" Name="Version 1">'
    yield from _definitions()
    yield "    </MetaDataVersion>"
    yield "  </Study>"
    yield from _admin(study, tables)


def _definitions() -> Iterator[str]:
    yield "      <Protocol>"
    for number, event in enumerate(EVENTS, start=1):
        yield f'        <StudyEventRef StudyEventOID="{event}" OrderNumber="{number}" Mandatory="No"/>'
    yield "      </Protocol>"
    for event, (label, repeating) in EVENTS.items():
        kind = "Common" if event == "SE.COMMON" else "Unscheduled" if event == "SE.UNSCHED" else "Scheduled"
        yield f'      <StudyEventDef OID="{event}" Name={quoteattr(label)} Repeating="{_yes(repeating)}" Type="{kind}">'
        for number, form in enumerate(FORMS[event].split(), start=1):
            yield f'        <FormRef FormOID="F.{form}" OrderNumber="{number}" Mandatory="No"/>'
        yield "      </StudyEventDef>"
    for group, what in GROUPS.items():
        form = group.removeprefix("IG.")
        yield f'      <FormDef OID="F.{form}" Name={quoteattr(what.name)} Repeating="No">'
        yield f'        <ItemGroupRef ItemGroupOID="{group}" Mandatory="No"/>'
        yield "      </FormDef>"
    for group, what in GROUPS.items():
        name = quoteattr(what.name)
        yield f'      <ItemGroupDef OID="{group}" Name={name} Repeating="{_yes(what.repeating)}">'
        for number, item in enumerate(what.items, start=1):
            yield f'        <ItemRef ItemOID="{oid(group, item.name)}" OrderNumber="{number}" Mandatory="No"/>'
        yield "      </ItemGroupDef>"
    for group, what in GROUPS.items():
        for item in what.items:
            yield from _item(oid(group, item.name), item)
    for name, codes in CODELISTS.items():
        kind = "integer" if all(code.isdigit() for code in codes) else "text"
        yield f'      <CodeList OID="{name}" Name="{name}" DataType="{kind}">'
        for code, text in codes.items():
            decoded = f'<Decode><TranslatedText xml:lang="fr">{escape(text)}</TranslatedText></Decode>'
            yield f'        <CodeListItem CodedValue="{code}">{decoded}</CodeListItem>'
        yield "      </CodeList>"


def _item(name: str, item: Item) -> Iterator[str]:
    start = f'      <ItemDef OID="{name}" Name="{item.name}" DataType="{item.type}"{_LENGTHS.get(item.type, "")}'
    inside = [f'        <MeasurementUnitRef MeasurementUnitOID="{UNITS[unit]}"/>' for unit in item.units]
    inside += [f'        <CodeListRef CodeListOID="{item.codes}"/>'] if item.codes else []
    yield f"{start}>" if inside else f"{start}/>"
    yield from inside
    if inside:
        yield "      </ItemDef>"


def _yes(value: bool) -> str:
    return "Yes" if value else "No"


def _admin(study: str, tables: Iterable[list[Row]]) -> Iterator[str]:
    sites = sorted({row.cells["SubjectKey"][:2] for rows in tables for row in rows})
    yield f'  <AdminData StudyOID="{study}">'
    for number in (1, 2, 3):
        yield f'    <User OID="USR.{number}" UserType="Other"><LoginName>tec{number}</LoginName></User>'
    yield '    <Location OID="SITE.00" Name="Centre de coordination" LocationType="Sponsor">'
    yield f'      <MetaDataVersionRef StudyOID="{study}" MetaDataVersionOID="MDV.1" EffectiveDate="2024-04-01"/>'
    yield "    </Location>"
    for site in sites:
        yield f'    <Location OID="SITE.{site}" Name="Centre {site}" LocationType="Site">'
        yield f'      <MetaDataVersionRef StudyOID="{study}" MetaDataVersionOID="MDV.1" EffectiveDate="2024-04-01"/>'
        yield "    </Location>"
    yield "  </AdminData>"
