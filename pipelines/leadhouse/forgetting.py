"""One person's values out of a warehouse: erased where they lie, and kept out from then on."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from leadhouse import logs
from leadhouse.errors import ConfigurationError, LeadhouseError, StateError
from leadhouse.pipeline import existing
from leadhouse.session import LOCK_TIMEOUT_S
from leadhouse.settings import dataset_name, destination_url, known_source
from leadhouse.state import stored
from leadhouse.warehouse import Target, Warehouse, explain

if TYPE_CHECKING:
    from dlt import Pipeline

    from leadhouse.crm import Chain, Crm
    from leadhouse.personal import PersonalTable

log = logs.get_logger("leadhouse.forget")

_LARGEST = 2**63 - 1
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What `forget` did.

    Attributes:
        leads: leads whose personal values are erased.
        unknown: leads that the warehouse does not hold; they are kept out if they come.
        people: ids by root table, of the persons linked to these leads (Kommo's contacts), erased with them.
        also_in: other leads with the same phone or e-mail.
    """

    leads: tuple[int, ...]
    unknown: tuple[int, ...]
    people: dict[str, tuple[int, ...]]
    also_in: tuple[int, ...]

    @property
    def lines(self) -> list[str]:
        """What was done, for a person."""
        told = [f"lead {number}: forgotten" for number in self.leads]
        told += [f"{root} {_shown(ids)}: forgotten with it" for root, ids in self.people.items()]
        if self.also_in:
            told.append(f"the same person, phone or e-mail is in leads {_shown(self.also_in)}: forget them, too")
        return told

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "forgotten": list(self.leads),
            "unknown": list(self.unknown),
            **{root: list(ids) for root, ids in self.people.items()},
            "also_in": list(self.also_in),
        }


def forget(
    source: str,
    ids: Sequence[int],
    *,
    to: str | None = None,
    dataset: str | None = None,
    portal: str | None = None,
    lock_timeout: float = LOCK_TIMEOUT_S,
) -> Forgotten:
    """Erase the personal values of leads, history included, and keep them out of every later run.

    The leads themselves, their stages and amounts stay. Nothing is asked of the portal.

    Args:
        source: "bitrix24" or "kommo".
        ids: ids of leads.
        to: the destination, as `sync` takes it.
        dataset: schema of the tables.
        portal: name of the portal where several are configured.
        lock_timeout: seconds to wait for another process.

    Raises:
        ConfigurationError: an id is not one of a lead.
        StateError: nothing of this source was synced there yet.
        WarehouseRefusedError: a destination whose rows leadhouse cannot change in place.
        TransientError: the next try may do.
    """
    from leadhouse.rewriting import check_place  # noqa: PLC0415 - arrow's weight is loaded late

    wanted = sorted(set(ids))
    if not wanted or not all(0 < number <= _LARGEST for number in wanted):
        raise ConfigurationError("forget takes ids of leads, whole numbers from 1")
    name = dataset_name(known_source(source), portal, dataset)
    warehouse = Warehouse(Target.parse(destination_url(to)), name, lock_timeout=lock_timeout)
    check_place(warehouse)
    with existing(warehouse, lock_timeout=lock_timeout) as pipeline:
        problem: LeadhouseError
        try:
            done = _forget(source, wanted, warehouse, pipeline)
        except Exception as error:  # noqa: BLE001 - dlt and the databases raise many classes
            problem = explain(error, warehouse.target)
        else:
            log.info("forgotten", leads=len(done.leads), unknown=len(done.unknown), also_in=len(done.also_in))
            return done
    raise problem


def _forget(source: str, ids: list[int], warehouse: Warehouse, pipeline: "Pipeline") -> Forgotten:
    from leadhouse.crm import crm  # noqa: PLC0415 - arrow's weight is loaded late
    from leadhouse.flow import remembering  # noqa: PLC0415
    from leadhouse.masking import Mask  # noqa: PLC0415
    from leadhouse.pii import Memory  # noqa: PLC0415
    from leadhouse.rewriting import Rewriting  # noqa: PLC0415

    slot = stored(pipeline, source)
    if slot is None:
        raise StateError(f"the dataset {warehouse.dataset} of {warehouse.target.label} holds nothing of {source}")
    known, memory = crm(source), Memory.of(slot)
    with warehouse.held():
        with pipeline.sql_client() as client:
            people = _People(known, client)
            held = people.held(ids)
            erased = people.behind(ids)
            also_in = people.sharing(erased) - set(ids) - memory.forgotten.get(known.leads.root, frozenset())
        forgotten = {
            root: memory.forgotten.get(root, frozenset()) | frozenset(erased.get(root, ()))
            for root in {*memory.forgotten, *erased}
        }
        rewriting = Rewriting(known, warehouse, pipeline, Mask(known, forgotten=erased))
        pipeline.run(remembering(known, replace(memory, forgotten=forgotten).to_slot()))
        rewriting.of(erased)
    others = {root: tuple(sorted(told)) for root, told in erased.items() if root != known.leads.root}
    return Forgotten(
        tuple(sorted(held)), tuple(number for number in ids if number not in held), others, tuple(sorted(also_in))
    )


class _People:
    """Who stands behind leads, and which leads share a phone or an e-mail."""

    def __init__(self, crm: "Crm", client: Any) -> None:
        from leadhouse.personal import personal_tables  # noqa: PLC0415 - arrow's weight is loaded late

        self._crm = crm
        self._client = client
        self._personal = personal_tables(crm)

    def held(self, ids: Iterable[int]) -> set[int]:
        """Return the leads among `ids` that the warehouse holds."""
        return self._ids(f"SELECT id FROM {self._table(self._crm.leads.root)} WHERE id IN ({_listed(ids)})")  # noqa: S608 - integers

    def behind(self, leads: Iterable[int]) -> dict[str, set[int]]:
        """Return these leads and the persons linked to them, by root table."""
        found = {self._crm.leads.root: set(leads)}
        for chain, (table, column) in self._links():
            sql = f"SELECT DISTINCT {column} FROM {self._table(table)} WHERE lead_id IN ({_listed(leads)})"  # noqa: S608 - integers
            linked = self._ids(sql)
            if linked:
                found[chain.root] = linked
        return found

    def sharing(self, erased: dict[str, set[int]]) -> set[int]:
        """Return leads that share a person, or a phone or an e-mail, with those erased."""
        found = self._same(self._crm.leads, erased[self._crm.leads.root])
        for chain, (table, column) in self._links():
            persons = erased.get(chain.root, set())
            persons = persons | self._same(chain, persons)
            if persons:
                sql = f"SELECT DISTINCT lead_id FROM {self._table(table)} WHERE {column} IN ({_listed(persons)})"  # noqa: S608 - integers
                found |= self._ids(sql)
        return found

    def _links(self) -> "Iterator[tuple[Chain, tuple[str, str]]]":
        """Yield the chains of persons beside the leads, each with the table and column that link leads to them."""
        for chain in self._crm.chains:
            if chain.root == self._crm.leads.root or not self._personal[chain.root].marked:
                continue
            for table in self._crm.leads.children:
                for column in self._crm.contract[table].columns.values():
                    if column.joins == f"{chain.root}.id":
                        yield chain, (table, column.name)

    def _same(self, chain: "Chain", ids: set[int]) -> set[int]:
        """Return the rows of a chain that have a phone or an e-mail of these rows."""
        found: set[int] = set()
        for name in chain.children if ids else ():
            told = self._personal.get(name)
            shown = told and _spelling(told)
            if shown:
                table, parent, listed = self._table(name), chain.parent, _listed(ids)
                found |= self._ids(
                    f"SELECT DISTINCT {parent} FROM {table} WHERE {parent} NOT IN ({listed}) AND {shown} IN "  # noqa: S608 - integers
                    f"(SELECT {shown} FROM {table} WHERE {parent} IN ({listed}) AND value IS NOT NULL)"
                )
        return found

    def _ids(self, sql: str) -> set[int]:
        return {int(row[0]) for row in self._client.execute_sql(sql) or ()}

    def _table(self, name: str) -> str:
        told: str = self._client.make_qualified_table_name(name)
        return told


def _spelling(personal: "PersonalTable") -> str:
    """Return the SQL of what is compared of a phone or an e-mail, "" for other tables."""
    if personal.is_phones:
        return "coalesce(e164, value)"
    return "lower(trim(value))" if personal.table.name.endswith("_emails") else ""


def _shown(ids: Sequence[int]) -> str:
    more = f" and {len(ids) - _SHOWN:,} more (--json lists them)" if len(ids) > _SHOWN else ""
    return ", ".join(map(str, ids[:_SHOWN])) + more


def _listed(ids: Iterable[int]) -> str:
    return ",".join(map(str, sorted(ids)))
